//! Redis's Sentinels. Pods of their own: the restart or eviction of a Redis server must not cost a vote as well.

use std::collections::BTreeMap;

use nova_member::ready::PATH as READY;
use nova_platform::components::{ComponentId, facts};
use nova_platform::config;
use nova_platform::config::service::OPERATIONS_OFFSET;
use nova_platform::spec::Spec;
use nova_platform::topology::Kind;

use super::redis::SERVER;
use super::site::ClusterSite;
use super::{Ask, Form, Port, Probe, Probes, Workload, image, nova_member_ready, run_dir};
use crate::names::Area;
use crate::profile::Profile;

/// On a drained node a Redis server hands over meanwhile, through a Sentinel.
const LINGER: u16 = 5;

pub(super) fn workload(spec: &Spec, profile: Profile) -> Workload {
    let port = spec.redis.sentinel_port;
    let ready = port + OPERATIONS_OFFSET;
    Workload {
        name: "sentinel".to_owned(),
        component: ComponentId::Redis,
        area: Area::of(Kind::Sentinel),
        image: image(&ComponentId::Redis),
        command: nova_member_ready("sentinel", ready),
        env: BTreeMap::new(),
        ports: Port::of(spec, &ComponentId::Redis, Kind::Sentinel),
        probes: Probes {
            startup: Probe::startup(Ask::Tcp(port)),
            readiness: Probe::readiness(Ask::Http(READY, ready)),
            liveness: Probe::liveness(Ask::Tcp(port)),
        },
        config: config(spec),
        config_once: &[],
        secret: Some("redis".to_owned()),
        scratch: vec![run_dir()],
        exceptions: &[],
        sizes: profile.of_kind(Kind::Sentinel),
        members: spec.redis.sentinels,
        form: Form::Store {
            volume: spec.kubernetes.volumes.sentinel,
            settle: 0,
        },
        linger: LINGER,
        grace: facts(&ComponentId::Redis).stop.grace,
    }
}

fn config(spec: &Spec) -> BTreeMap<String, String> {
    let site = ClusterSite(spec);
    config::members(spec, Kind::Sentinel)
        .into_iter()
        .flat_map(|member| {
            let start = config::redis::start(&site, &member, SERVER);
            [
                (
                    format!("{}.base.conf", member.name),
                    config::sentinel::base_conf(&site, &member),
                ),
                (format!("{}.start.json", member.name), format!("{start:#}\n")),
            ]
        })
        .collect()
}
