//! No two listeners on one port of a node or of the gateway.

use std::collections::BTreeMap;

use crate::config::haproxy::HEALTH_PORT;
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
    let mut on_nodes = |count: u16, name: &str, what: &str, key: Key, port: u16| {
        // More members than nodes is a problem of its own, and here would only repeat itself.
        for number in 1..=count.min(NODES) {
            let who = format!("{name}-{number}{what}");
            all.entry((Place::Node(number), port))
                .or_default()
                .push(Listener { who, key: key.clone() });
        }
    };
    let (etcd, postgres, redis, kafka) = (&spec.etcd, &spec.postgres, &spec.redis, &spec.kafka);
    on_nodes(
        etcd.members,
        "etcd",
        " (clients)",
        Key::new("etcd.client_port"),
        etcd.client_port,
    );
    on_nodes(
        etcd.members,
        "etcd",
        " (peers)",
        Key::new("etcd.peer_port"),
        etcd.peer_port,
    );
    on_nodes(
        postgres.members,
        "postgres",
        "",
        Key::new("postgres.port"),
        postgres.port,
    );
    on_nodes(
        postgres.members,
        "postgres",
        " (Patroni)",
        Key::new("postgres.patroni_port"),
        postgres.patroni_port,
    );
    on_nodes(redis.members, "redis", "", Key::new("redis.port"), redis.port);
    on_nodes(
        redis.sentinels,
        "sentinel",
        "",
        Key::new("redis.sentinel_port"),
        redis.sentinel_port,
    );
    on_nodes(kafka.members, "kafka", "", Key::new("kafka.port"), kafka.port);
    on_nodes(
        kafka.members,
        "kafka",
        " (controller)",
        Key::new("kafka.controller_port"),
        kafka.controller_port,
    );
    for (name, service) in &spec.services {
        let key = Key::service(name).child("port");
        on_nodes(service.members, name, "", key.clone(), service.port);
        if let Some(operations) = service.port.checked_add(OPERATIONS) {
            on_nodes(
                service.members,
                name,
                " (operations, 1000 above its port)",
                key,
                operations,
            );
        }
    }
    let mut on_gateway = |who: String, key: Key, port: u16| {
        all.entry((Place::Gateway, port))
            .or_default()
            .push(Listener { who, key });
    };
    let gateway = &spec.gateway;
    on_gateway(
        "PostgreSQL's leader".to_owned(),
        Key::new("gateway.primary_port"),
        gateway.primary_port,
    );
    on_gateway(
        "PostgreSQL's replicas".to_owned(),
        Key::new("gateway.replicas_port"),
        gateway.replicas_port,
    );
    // On a cluster only; but a description fits every target.
    on_gateway("its own health".to_owned(), Key::new("gateway"), HEALTH_PORT);
    for (name, service) in &spec.services {
        on_gateway(name.clone(), Key::service(name).child("port"), service.port);
    }
    all
}
