//! etcd's voters, which hold Patroni's leader key and nothing else.

use std::collections::BTreeMap;

use nova_platform::components::{ComponentId, facts};
use nova_platform::config;
use nova_platform::spec::Spec;
use nova_platform::topology::{Kind, Member};

use super::site::ClusterSite;
use super::{Ask, DATA_DIR, Form, MEMBER_VARIABLE, Port, Probe, Probes, Workload, image, nova_member, run_dir};
use crate::names::{self, Area};
use crate::profile::Profile;

const SERVER: &str = "/usr/bin/etcd";
/// Who the members are: looked at by one that starts.
const MEMBERS: &str = "members.json";

pub(super) fn workload(spec: &Spec, profile: Profile) -> Workload {
    let client = spec.etcd.client_port;
    Workload {
        name: "etcd".to_owned(),
        component: ComponentId::Etcd,
        area: Area::of(Kind::Etcd),
        image: image(&ComponentId::Etcd),
        command: nova_member("etcd"),
        env: BTreeMap::from([("GOGC".to_owned(), "50".to_owned())]),
        ports: vec![Port::new("client", client), Port::new("peer", spec.etcd.peer_port)],
        probes: Probes {
            startup: Probe::startup(Ask::Tcp(client)),
            readiness: Probe::readiness(Ask::Http("/readyz", client)),
            liveness: Probe::liveness(Ask::Http("/livez", client)),
        },
        config: config(spec),
        // A member that has data knows the others from them.
        config_once: &[MEMBERS],
        secret: None,
        scratch: vec![run_dir()],
        exceptions: &[],
        sizes: profile.of_kind(Kind::Etcd),
        members: spec.etcd.members,
        form: Form::Store {
            volume: spec.kubernetes.volumes.etcd,
            settle: 0,
        },
        linger: facts(&ComponentId::Etcd).stop.linger,
        grace: facts(&ComponentId::Etcd).stop.grace,
    }
}

/// The same for every member: where one of them stands by name, it puts its own. With a file each, another member would replace all pods.
fn config(spec: &Spec) -> BTreeMap<String, String> {
    let site = ClusterSite(spec);
    let any = Member {
        name: format!("$({MEMBER_VARIABLE})"),
        component: ComponentId::Etcd,
        kind: Kind::Etcd,
        ordinal: 1,
        node: None,
    };
    debug_assert!(names::member_host(spec, &any).starts_with(&any.name));
    let start = config::etcd::start(&site, &any, SERVER, &format!("{DATA_DIR}/etcd"), None);
    BTreeMap::from([
        ("start.json".to_owned(), format!("{start:#}\n")),
        (MEMBERS.to_owned(), format!("{:#}\n", config::etcd::members(&site))),
    ])
}
