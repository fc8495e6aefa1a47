//! Redis's servers: one master, the rest replicas.

use std::collections::BTreeMap;

use nova_member::ready::PATH as READY;
use nova_platform::components::{ComponentId, facts};
use nova_platform::config;
use nova_platform::config::service::OPERATIONS_OFFSET;
use nova_platform::spec::Spec;
use nova_platform::topology::Kind;

use super::site::ClusterSite;
use super::{Ask, Form, Port, Probe, Probes, Workload, image, nova_member_ready, run_dir};
use crate::names::Area;
use crate::profile::Profile;

/// The program that a Redis server and a Sentinel run.
pub(super) const SERVER: &str = "/usr/bin/redis-server";

pub(super) fn workload(spec: &Spec, profile: Profile) -> Workload {
    let port = spec.redis.port;
    let ready = port + OPERATIONS_OFFSET;
    Workload {
        name: "redis".to_owned(),
        component: ComponentId::Redis,
        area: Area::of(Kind::Redis),
        image: image(&ComponentId::Redis),
        command: nova_member_ready("redis", ready),
        env: BTreeMap::new(),
        ports: Port::of(spec, &ComponentId::Redis, Kind::Redis),
        probes: Probes {
            startup: Probe::startup(Ask::Tcp(port)),
            readiness: Probe::readiness(Ask::Http(READY, ready)),
            liveness: Probe::liveness(Ask::Tcp(port)),
        },
        config: config(spec, profile),
        config_once: &[],
        secret: Some("redis".to_owned()),
        scratch: vec![run_dir()],
        exceptions: &[],
        sizes: profile.of_kind(Kind::Redis),
        members: spec.redis.members,
        form: Form::Store {
            volume: spec.kubernetes.volumes.redis,
            settle: 0,
        },
        linger: facts(&ComponentId::Redis).stop.linger,
        grace: facts(&ComponentId::Redis).stop.grace,
    }
}

fn config(spec: &Spec, profile: Profile) -> BTreeMap<String, String> {
    let site = ClusterSite(spec);
    let memory = profile.redis_maxmemory(spec);
    config::members(spec, Kind::Redis)
        .into_iter()
        .flat_map(|member| {
            let start = config::redis::start(&site, &member, SERVER);
            [
                (
                    format!("{}.base.conf", member.name),
                    config::redis::base_conf(&site, &member, memory),
                ),
                (format!("{}.start.json", member.name), format!("{start:#}\n")),
            ]
        })
        .collect()
}
