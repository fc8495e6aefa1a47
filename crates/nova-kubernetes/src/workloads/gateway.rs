//! The gateway: HAProxy with the two doors to PostgreSQL, and one to each service, which repeats what is harmless to repeat.

use std::collections::BTreeMap;

use nova_platform::components::{ComponentId, facts};
use nova_platform::config::haproxy::{self, Discovery, Doors, Services};
use nova_platform::spec::{ServiceSpec, Spec};
use nova_platform::topology::Kind;

use super::site::ClusterSite;
use super::{Ask, Form, Port, Probe, Probes, Workload, image, run_dir, run_softly};
use crate::names::{Area, members_service, service_host};
use crate::ports;
use crate::profile::Profile;

/// Not the description's, where one machine has one gateway.
pub(crate) const MEMBERS: u16 = 2;

pub(super) fn workload(spec: &Spec, profile: Profile) -> Workload {
    Workload {
        name: "gateway".to_owned(),
        component: ComponentId::Gateway,
        area: Area::of(Kind::Gateway),
        image: image(&ComponentId::Gateway),
        // Requests that are under way are answered; sessions to PostgreSQL are cut when its `hard-stop-after` is over.
        command: run_softly(["/usr/sbin/haproxy", "-db", "-f", "/config/haproxy.cfg"]),
        env: BTreeMap::new(),
        ports: Port::of(spec, &ComponentId::Gateway, Kind::Gateway),
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
        linger: facts(&ComponentId::Gateway).stop.linger,
        grace: facts(&ComponentId::Gateway).stop.grace,
    }
}

/// The name of the container port that is the door to a service. Not the service's, which may be longer than 15 letters.
pub(crate) fn door_port(port: u16) -> String {
    format!("http-{port}")
}

fn config(spec: &Spec) -> BTreeMap<String, String> {
    let services = spec
        .public_services()
        .map(|(name, service)| (name.clone(), discovery(spec, name, service)))
        .collect();
    let doors = Doors {
        bind: "0.0.0.0",
        services: Services::Discovered(&services),
        health_port: Some(ports::GATEWAY_HEALTH),
        admin_socket: "/run/nova/admin.sock",
    };
    let text = haproxy::config(&ClusterSite(spec), &doors);
    BTreeMap::from([("haproxy.cfg".to_owned(), text)])
}

fn discovery(spec: &Spec, name: &str, service: &ServiceSpec) -> Discovery {
    let host = |service: &str| service_host(spec, Area::of(Kind::Service), service);
    Discovery {
        members: host(&members_service(name)),
        // After an update of all members their old addresses are held for a while yet, and there may be one more during it.
        slots: 2 * service.most_members() + 1,
        any_member: host(name),
    }
}
