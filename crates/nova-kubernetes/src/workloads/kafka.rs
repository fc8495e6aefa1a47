//! Kafka's brokers, each a controller as well.

use std::collections::BTreeMap;

use nova_platform::components::{ComponentId, facts};
use nova_platform::config;
use nova_platform::spec::Spec;
use nova_platform::topology::Kind;

use super::site::ClusterSite;
use super::{Ask, DATA_DIR, Form, Port, Probe, Probes, Workload, image, nova_member, run_dir, tmp_dir};
use crate::names::Area;
use crate::profile::Profile;

const JAVA: &str = "/usr/bin/java";
const LIBRARIES: &str = "/opt/kafka/libs";
/// Made when the image is built; a broker without it only starts more slowly.
const CLASS_ARCHIVE: &str = "kafka.jsa";

pub(super) fn workload(spec: &Spec, profile: Profile) -> Workload {
    let (port, controller) = (spec.kafka.port, spec.kafka.controller_port);
    Workload {
        name: "kafka".to_owned(),
        component: ComponentId::Kafka,
        area: Area::of(Kind::Kafka),
        image: image(&ComponentId::Kafka),
        command: nova_member("kafka"),
        env: BTreeMap::from([("MALLOC_ARENA_MAX".to_owned(), "2".to_owned())]),
        ports: Port::of(spec, &ComponentId::Kafka, Kind::Kafka),
        probes: Probes {
            startup: Probe::startup(Ask::Tcp(port)),
            readiness: Probe::readiness(Ask::Tcp(port)),
            liveness: Probe::liveness(Ask::Tcp(controller)),
        },
        config: config(spec),
        config_once: &[],
        secret: None,
        scratch: vec![run_dir(), tmp_dir()],
        exceptions: &[],
        sizes: profile.of_kind(Kind::Kafka),
        members: spec.kafka.members,
        form: Form::Store {
            volume: spec.kubernetes.volumes.kafka,
            // A broker whose port is open may still be behind: the next one leaves when its replicas had time to catch up.
            settle: 10,
        },
        linger: facts(&ComponentId::Kafka).stop.linger,
        grace: facts(&ComponentId::Kafka).stop.grace,
    }
}

fn config(spec: &Spec) -> BTreeMap<String, String> {
    let site = ClusterSite(spec);
    let directory = format!("{DATA_DIR}/kafka");
    let archive = format!("{LIBRARIES}/{}", CLASS_ARCHIVE);
    let start = config::kafka::start(&site, JAVA, &archive, Some(LIBRARIES));
    let own = config::members(spec, Kind::Kafka).into_iter().flat_map(|member| {
        let file = |name: &str| format!("{}.{name}", member.name);
        let fresh = format!("{directory}{}", config::kafka::FRESH);
        [
            (
                file("server.properties"),
                config::kafka::properties(&site, &member, &directory),
            ),
            (
                file("format.properties"),
                config::kafka::properties(&site, &member, &fresh),
            ),
        ]
    });
    own.chain([
        ("start.json".to_owned(), format!("{start:#}\n")),
        ("log4j2.properties".to_owned(), config::kafka::LOGGING.to_owned()),
    ])
    .collect()
}
