//! A service of Nova: one entry of the description.

use std::collections::BTreeMap;

use nova_platform::components::ComponentId;
use nova_platform::config;
use nova_platform::config::service::{OPERATIONS_OFFSET, Surroundings};
use nova_platform::endpoints::HostPort;
use nova_platform::spec::{ServiceSpec, Spec};
use nova_platform::topology::Kind;

use super::site::ClusterSite;
use super::{Ask, Form, Port, Probe, Probes, SECRETS_DIR, Workload, run};
use crate::names::{Area, service_host};
use crate::ports;
use crate::profile::Profile;

/// Of the 30 seconds that a pod has to end: it is still sent requests at first, then it finishes those that it has, and what is
/// left is for the process to be gone by itself.
const LINGER: u16 = 5;
const DRAIN: u16 = 20;
const RESERVE: u16 = 5;

pub(super) fn workload(spec: &Spec, profile: Profile, name: &str, service: &ServiceSpec) -> Workload {
    let operations = service.port + OPERATIONS_OFFSET;
    Workload {
        name: name.to_owned(),
        component: ComponentId::service(name),
        area: Area::of(Kind::Service),
        image: name.to_owned(),
        command: run([format!("/usr/local/bin/{name}").as_str()]),
        env: environment(spec, name, service),
        ports: Port::of(spec, &ComponentId::service(name), Kind::Service),
        probes: Probes {
            startup: Probe::startup(Ask::Http("/health/startup", operations)),
            readiness: Probe::readiness(Ask::Http("/health/ready", operations)),
            liveness: Probe::liveness(Ask::Http("/health/live", operations)),
        },
        config: BTreeMap::new(),
        config_once: &[],
        secret: (!config::service::secrets_of(spec, name).is_empty()).then(|| name.to_owned()),
        scratch: Vec::new(),
        exceptions: &[],
        sizes: profile.of_service(service),
        members: service.members,
        form: Form::Stateless {
            members_max: service.most_members(),
        },
        linger: LINGER,
        grace: LINGER + DRAIN + RESERVE,
    }
}

fn environment(spec: &Spec, name: &str, service: &ServiceSpec) -> BTreeMap<String, String> {
    let postgres = |door: &str| HostPort::new(service_host(spec, Area::of(Kind::Gateway), door), ports::POSTGRES);
    let around = Surroundings {
        listen: &HostPort::new("0.0.0.0", service.port),
        operations_listen: &HostPort::new("0.0.0.0", service.port + OPERATIONS_OFFSET),
        primary: &postgres("postgres-primary"),
        replicas: &postgres("postgres-replicas"),
        door: &|other| door(spec, other),
        secret_file: &|secret| format!("{SECRETS_DIR}/{secret}"),
        // As many as may run at a time.
        hash_threads: usize::try_from(service.cpu_limit / 1000).unwrap_or(1).max(1),
    };
    let mut environment = config::service::environment(&ClusterSite(spec), name, &around);
    let drain = environment.entry("NOVA_DRAIN_TIMEOUT".to_owned());
    drain.or_insert_with(|| format!("{DRAIN}s"));
    environment
}

/// The base URL of a service: services call each other through the gateway, as everyone does.
fn door(spec: &Spec, service: &str) -> String {
    let host = service_host(spec, Area::of(Kind::Gateway), "gateway");
    let port = spec.services.get(service).map_or(0, |service| service.port);
    format!("http://{host}:{port}")
}
