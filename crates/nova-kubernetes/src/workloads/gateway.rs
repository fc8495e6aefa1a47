//! The gateway: HAProxy with the two doors to PostgreSQL. Services are met through Services of the cluster.

use std::collections::BTreeMap;

use nova_platform::config::{self, haproxy::Doors};
use nova_platform::spec::Spec;
use nova_platform::topology::Kind;

use super::site::ClusterSite;
use super::{Ask, Form, Port, Probe, Probes, Workload, run, run_dir};
use crate::names::Area;
use crate::ports;
use crate::profile::Profile;

/// Not the description's, where one machine has one gateway.
pub(crate) const MEMBERS: u16 = 2;

pub(super) fn workload(spec: &Spec, profile: Profile) -> Workload {
    Workload {
        name: "gateway".to_owned(),
        component: "gateway".to_owned(),
        area: Area::of(Kind::Gateway),
        image: "haproxy".to_owned(),
        command: run(["/usr/sbin/haproxy", "-db", "-f", "/config/haproxy.cfg"]),
        env: BTreeMap::new(),
        ports: vec![
            Port {
                name: "primary",
                number: spec.gateway.primary_port,
            },
            Port {
                name: "replicas",
                number: spec.gateway.replicas_port,
            },
            Port {
                name: "health",
                number: ports::GATEWAY_HEALTH,
            },
        ],
        probes: Probes {
            startup: Probe::startup(Ask::Http("/health", ports::GATEWAY_HEALTH)),
            readiness: Probe::readiness(Ask::Http("/health", ports::GATEWAY_HEALTH)),
            liveness: Probe::liveness(Ask::Tcp(ports::GATEWAY_HEALTH)),
        },
        config: config(spec),
        config_once: &[],
        secret: None,
        scratch: vec![run_dir()],
        exceptions: &[],
        sizes: profile.of_kind(Kind::Gateway),
        members: MEMBERS,
        form: Form::Stateless { members_max: MEMBERS },
        linger: 5,
        grace: 30,
    }
}

fn config(spec: &Spec) -> BTreeMap<String, String> {
    let doors = Doors {
        bind: "0.0.0.0",
        services: false,
        health_port: Some(ports::GATEWAY_HEALTH),
        admin_socket: "/run/nova/admin.sock",
    };
    let text = config::haproxy::config(&ClusterSite(spec), &doors);
    BTreeMap::from([("haproxy.cfg".to_owned(), text)])
}
