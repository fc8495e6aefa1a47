//! etcd's voters, which hold Patroni's leader key and nothing else.

use std::collections::BTreeMap;

use nova_platform::components::ComponentId;
use nova_platform::config;
use nova_platform::spec::Spec;
use nova_platform::topology::{Kind, Member};

use super::site::ClusterSite;
use super::{Ask, DATA_DIR, Form, MEMBER_VARIABLE, Port, Probe, Probes, Workload, run};
use crate::names::{self, Area};
use crate::profile::Profile;

pub(super) fn workload(spec: &Spec, profile: Profile) -> Workload {
    let client = spec.etcd.client_port;
    Workload {
        name: "etcd".to_owned(),
        component: ComponentId::Etcd,
        area: Area::of(Kind::Etcd),
        image: "etcd".to_owned(),
        command: command(spec),
        env: BTreeMap::from([("GOGC".to_owned(), "50".to_owned())]),
        ports: vec![Port::new("client", client), Port::new("peer", spec.etcd.peer_port)],
        probes: Probes {
            startup: Probe::startup(Ask::Tcp(client)),
            readiness: Probe::readiness(Ask::Http("/readyz", client)),
            liveness: Probe::liveness(Ask::Http("/livez", client)),
        },
        config: BTreeMap::new(),
        config_once: &[],
        secret: None,
        scratch: Vec::new(),
        exceptions: &[],
        sizes: profile.of_kind(Kind::Etcd),
        members: spec.etcd.members,
        form: Form::Store {
            volume: spec.kubernetes.volumes.etcd,
            settle: 0,
        },
        linger: 1,
        grace: 30,
    }
}

/// The same for every member: where one of them stands by name, the kubelet puts the pod's.
fn command(spec: &Spec) -> Vec<String> {
    let member = Member {
        name: format!("$({MEMBER_VARIABLE})"),
        component: ComponentId::Etcd,
        kind: Kind::Etcd,
        ordinal: 1,
        node: None,
    };
    debug_assert!(names::member_host(spec, &member).starts_with(&member.name));
    let arguments = config::etcd::args(&ClusterSite(spec), &member, &format!("{DATA_DIR}/etcd"));
    run(["/usr/bin/etcd"]
        .into_iter()
        .chain(arguments.iter().map(String::as_str)))
}
