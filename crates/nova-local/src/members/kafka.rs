//! A Kafka broker that is a controller as well (combined roles: right for one machine, where isolating controllers would
//! double the processes and protect nothing). Its program is `nova member kafka`, which formats an empty directory first.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nova_platform::endpoints::HostPort;
use nova_platform::topology::{Kind, Member};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Site, address, base_plan, file, join};
use crate::doctor::kafka_jars;
use crate::plan::MemberPlan;

/// What `nova member kafka` runs; `start.json` in the member's directory.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Start {
    pub(super) java: std::path::PathBuf,
    /// What each Java process gets before its main class.
    pub(super) options: Vec<String>,
    /// Arguments of `kafka.tools.StorageTool` for an empty directory.
    pub(super) format: Vec<String>,
}

pub(super) fn plan(site: &Site<'_>, member: &Member) -> MemberPlan {
    let spec = &site.spec.kafka;
    let node = address(site.spec, member);
    let mut plan = base_plan(member, site.nova);
    let directory = site.member_dir(&member.name).display().to_string();
    plan.args = ["member", "kafka", "--dir", &directory].map(str::to_owned).into();
    let start = Start {
        java: site.programs.java.clone(),
        options: java_options(site),
        format: vec![
            "format".to_owned(),
            format!("--cluster-id={}", uuid(&site.spec.platform.name, "cluster")),
            "--config=format.properties".to_owned(),
            format!("--initial-controllers={}", controllers(site)),
        ],
    };
    let jars = kafka_jars()
        .map(|jar| site.programs.kafka_lib.join(jar).display().to_string())
        .collect::<Vec<_>>();
    // By name and in order: the class archive counts only for the very class path that it was made with.
    plan.env.insert("CLASSPATH".to_owned(), jars.join(":"));
    plan.env.insert("MALLOC_ARENA_MAX".to_owned(), "2".to_owned());
    plan.files = vec![
        file("start.json", format!("{:#}\n", serde_json::json!(start))),
        file("server.properties", properties(site, member, "data")),
        file("format.properties", properties(site, member, "data.new")),
        file("log4j2.properties", LOGGING),
    ];
    plan.ports = vec![
        HostPort::new(&node, spec.port),
        HostPort::new(&node, spec.controller_port),
    ];
    plan
}

/// Small and quick to start: these brokers carry one machine's events. C1 alone costs a third of the start-up time and
/// 60 MB less than both compilers.
fn java_options(site: &Site<'_>) -> Vec<String> {
    let heap = site.spec.kafka.heap.mebibytes();
    let archive = site.programs.kafka_lib.join(crate::doctor::CLASS_ARCHIVE);
    vec![
        format!("-Xms{}m", heap.min(64)),
        format!("-Xmx{heap}m"),
        "-Xss512k".to_owned(),
        "-XX:+UseSerialGC".to_owned(),
        "-XX:TieredStopAtLevel=1".to_owned(),
        "-XX:+ExitOnOutOfMemoryError".to_owned(),
        "-XX:-UsePerfData".to_owned(),
        // Used when it fits this Java, otherwise ignored.
        "-Xshare:auto".to_owned(),
        "-Xlog:disable".to_owned(),
        format!("-XX:SharedArchiveFile={}", archive.display()),
        "-Djava.awt.headless=true".to_owned(),
        "-Dlog4j2.configurationFile=log4j2.properties".to_owned(),
    ]
}

/// The first voters, for the quorum's own record of its members (kraft.version 1): unlike a list in the configuration,
/// that record can grow later. Directory ids are derived, so that all members write the same record without talking.
fn controllers(site: &Site<'_>) -> String {
    let voter = |member: &Member| {
        let place = HostPort::new(address(site.spec, member), site.spec.kafka.controller_port);
        format!(
            "{}@{place}:{}",
            member.ordinal,
            uuid(&site.spec.platform.name, &member.name)
        )
    };
    site.members(Kind::Kafka)
        .iter()
        .map(voter)
        .collect::<Vec<_>>()
        .join(",")
}

fn uuid(platform: &str, what: &str) -> String {
    let mut bytes = Sha256::digest(format!("{platform}/kafka/{what}"))[..16].to_vec();
    // Kafka refuses ids that begin with a dash, since a command line takes them for an option.
    bytes[0] &= 0x7f;
    URL_SAFE_NO_PAD.encode(bytes)
}

fn properties(site: &Site<'_>, member: &Member, directory: &str) -> String {
    let spec = &site.spec.kafka;
    let node = address(site.spec, member);
    let copies = spec.replication_factor;
    let controllers = join(&site.host_ports(Kind::Kafka, spec.controller_port), ",");
    format!(
        "\
process.roles=broker,controller
node.id={id}
listeners=PLAINTEXT://{node}:{port},CONTROLLER://{node}:{controller_port}
advertised.listeners=PLAINTEXT://{node}:{port},CONTROLLER://{node}:{controller_port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers={controllers}
log.dirs={directory}
default.replication.factor={copies}
# Taken over as the cluster-level value when the cluster is formed.
min.insync.replicas={in_sync}
unclean.leader.election.enable={unclean}
auto.create.topics.enable=false
num.partitions=3
offsets.topic.replication.factor={copies}
offsets.topic.num.partitions=12
transaction.state.log.replication.factor={copies}
transaction.state.log.min.isr={in_sync}
transaction.state.log.num.partitions=12
share.coordinator.state.topic.replication.factor={copies}
share.coordinator.state.topic.min.isr={in_sync}
share.coordinator.state.topic.num.partitions=6
broker.session.timeout.ms={session}
broker.heartbeat.interval.ms={heartbeat}
group.initial.rebalance.delay.ms=0
num.network.threads=2
num.io.threads=4
background.threads=2
log.cleaner.dedupe.buffer.size=8388608
",
        id = member.ordinal,
        port = spec.port,
        controller_port = spec.controller_port,
        in_sync = spec.min_insync_replicas,
        unclean = spec.unclean_leader_election,
        session = spec.session_timeout.as_millis(),
        heartbeat = spec.heartbeat_interval.as_millis(),
    )
}

const LOGGING: &str = "\
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{ISO8601} %p %c{1} %m%n
";
