//! No two listeners on one port of a node or of the gateway.

use std::collections::BTreeMap;

use crate::components::{ComponentId, Kind, Port, facts, ports};
use crate::key::Key;
use crate::spec::Spec;
use crate::topology::NODES;

use super::Findings;

/// How far above a service's port its operations listen.
pub(super) use crate::config::service::OPERATIONS_OFFSET as OPERATIONS;

/// Something that listens, and the setting that says where.
struct Listener {
    who: String,
    key: Key,
}

type Address = (Place, u16);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Node(u16),
    Gateway,
}

pub(super) fn check(spec: &Spec, findings: &mut Findings) {
    let mut told: Vec<(Key, Key)> = Vec::new();
    for ((place, port), listeners) in listeners(spec) {
        let Some((first, others)) = listeners.split_first() else {
            continue;
        };
        for other in others {
            let pair = (first.key.clone(), other.key.clone());
            // The same pair meets on every node that has both.
            if told.contains(&pair) {
                continue;
            }
            let place = match place {
                Place::Node(number) => format!("of node-{number}"),
                Place::Gateway => "of the gateway".to_owned(),
            };
            findings.problem(
                [other.key.clone(), first.key.clone()],
                format!(
                    "port {port} {place} is wanted twice, by {} and by {}",
                    first.who, other.who
                ),
            );
            told.push(pair);
        }
    }
}

fn listeners(spec: &Spec) -> BTreeMap<Address, Vec<Listener>> {
    let mut all: BTreeMap<Address, Vec<Listener>> = BTreeMap::new();
    let services = spec.services.keys().map(|name| ComponentId::service(name));
    for id in ComponentId::OWN.into_iter().chain(services) {
        // A port that only a cluster has counts too: a description fits every target.
        for port in ports(spec, &id) {
            for (place, who) in whereabouts(spec, &id, &port) {
                let key = port.key.clone();
                all.entry((place, port.number)).or_default().push(Listener { who, key });
            }
        }
    }
    all
}

/// Where a port is listened on, and by whom.
fn whereabouts(spec: &Spec, id: &ComponentId, port: &Port) -> Vec<(Place, String)> {
    if port.kind == Kind::Gateway {
        return vec![(Place::Gateway, port.what.to_string())];
    }
    let groups = (facts(id).groups)(spec, id).into_iter();
    let of_kind = groups.filter(|group| group.kind == port.kind);
    // More members than nodes is a problem of its own, and here would only repeat itself.
    of_kind
        .flat_map(|group| {
            let who = move |number| format!("{}-{number}{}", group.prefix, port.what);
            (1..=group.members.min(NODES)).map(move |number| (Place::Node(number), who(number)))
        })
        .collect()
}
