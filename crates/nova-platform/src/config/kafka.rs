//! A Kafka broker that is a controller as well (combined roles: right for three machines, where isolating controllers would
//! double the processes and protect nothing).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Site, host_ports, join, members};
use crate::endpoints::HostPort;
use crate::spec::Spec;
use crate::topology::{Kind, Member};

/// What is appended to a data directory's path while it is formatted; it is moved to its place when that is done.
pub const FRESH: &str = ".new";

/// `log4j2.properties`: warnings to standard output, and what is needed besides.
pub const LOGGING: &str = "\
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{ISO8601} %p %c{1} %m%n
# Who was fenced, who leads since when: what a failover is told from.
logger.replication.name=org.apache.kafka.controller.ReplicationControlManager
logger.replication.level=info
logger.cluster.name=org.apache.kafka.controller.ClusterControlManager
logger.cluster.level=info
logger.heartbeat.name=org.apache.kafka.controller.BrokerHeartbeatManager
logger.heartbeat.level=info
logger.state.name=state.change.logger
logger.state.level=info
# By which session the controller knows this broker: what is ended for it when it is proven dead. Each life writes it anew.
appender.session.type=File
appender.session.name=session
appender.session.fileName=${sys:nova.session.log}
appender.session.append=false
appender.session.createOnDemand=true
appender.session.layout.type=PatternLayout
appender.session.layout.pattern=%m%n
logger.lifecycle.name=org.apache.kafka.server.BrokerLifecycleManager
logger.lifecycle.level=info
logger.lifecycle.additivity=false
logger.lifecycle.appenderRef.session.ref=session
";

/// What `nova_member` runs, as it reads it (`start.json`): the path of `java`, its options, and how Kafka's own tool formats a
/// new data directory. `archive` is the path of the class archive; `libs` the directory whose jars become the class path, in the
/// order of their names, where no variable `CLASSPATH` has it. All other files (`server.properties`, `format.properties`,
/// `log4j2.properties`) are found in the working directory.
#[must_use]
pub fn start(site: &dyn Site, java: &str, archive: &str, libs: Option<&str>) -> Value {
    let mut start = json!({
        "java": java,
        "options": java_options(site.spec(), archive),
        "format": [
            "format".to_owned(),
            format!("--cluster-id={}", cluster_id(site.spec())),
            "--config=format.properties".to_owned(),
            format!("--initial-controllers={}", controllers(site)),
        ],
        "controllers": host_ports(site, Kind::Kafka, site.spec().kafka.controller_port),
    });
    if let Some(libs) = libs {
        start["libs"] = json!(libs);
    }
    start
}

/// `server.properties`, with `log_dirs` as the data directory; the same with [`FRESH`] appended to it is `format.properties`.
#[must_use]
pub fn properties(site: &dyn Site, member: &Member, log_dirs: &str) -> String {
    let spec = &site.spec().kafka;
    let (host, bind) = (site.host(member), site.bind(member));
    let copies = spec.replication_factor;
    let controllers = join(&host_ports(site, Kind::Kafka, spec.controller_port), ",");
    format!(
        "\
process.roles=broker,controller
node.id={id}
listeners=PLAINTEXT://{bind}:{port},CONTROLLER://{bind}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers={controllers}
log.dirs={log_dirs}
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
# The address of a controller that is gone may swallow packets instead of refusing them. By default a broker tries such a one for
# 10 to 30 s before it looks for the next, and until then nobody can change anything through it.
socket.connection.setup.timeout.ms=1000
socket.connection.setup.timeout.max.ms=2000
# After this without an answer of the leading controller the others elect another; only then the session of its broker begins to end.
controller.quorum.fetch.timeout.ms=1500
# Of two that notice it one after the other the first may win no vote; by default it takes them a second or two to try again.
controller.quorum.election.timeout.ms=500
controller.quorum.election.backoff.max.ms=200
broker.session.timeout.ms={session}
broker.heartbeat.interval.ms={heartbeat}
# A copy follows its new leader at once, which acknowledgements wait for: by default it comes a second too late when it asks
# before the leader knows, and half a second when the leader had nothing to send it.
replica.fetch.backoff.ms=50
replica.fetch.wait.max.ms=100
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

/// The first voters, for the quorum's own record of its members (kraft.version 1): unlike a list in the configuration,
/// that record can grow later. Directory ids are derived, so that all members write the same record without talking.
#[must_use]
pub fn controllers(site: &dyn Site) -> String {
    let voter = |member: &Member| {
        let place = HostPort::new(site.host(member), site.spec().kafka.controller_port);
        format!(
            "{}@{place}:{}",
            member.ordinal,
            uuid(&site.spec().platform.name, &member.name)
        )
    };
    members(site.spec(), Kind::Kafka)
        .iter()
        .map(voter)
        .collect::<Vec<_>>()
        .join(",")
}

/// The cluster's id, which all members write down.
#[must_use]
pub fn cluster_id(spec: &Spec) -> String {
    uuid(&spec.platform.name, "cluster")
}

/// Small and quick to start: these brokers carry one platform's events. C1 alone costs a third of the start-up time and
/// 60 MB less than both compilers. `archive` is the path of a class archive, used when it fits the Java that runs.
#[must_use]
pub fn java_options(spec: &Spec, archive: &str) -> Vec<String> {
    let heap = spec.kafka.heap.mebibytes();
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
        format!("-XX:SharedArchiveFile={archive}"),
        "-Djava.awt.headless=true".to_owned(),
        "-Dlog4j2.configurationFile=log4j2.properties".to_owned(),
    ]
}

fn uuid(platform: &str, what: &str) -> String {
    let mut bytes = Sha256::digest(format!("{platform}/kafka/{what}"))[..16].to_vec();
    // Kafka refuses ids that begin with a dash, since a command line takes them for an option.
    bytes[0] &= 0x7f;
    URL_SAFE_NO_PAD.encode(bytes)
}
