//! librdkafka as a member of a group that keeps its places elsewhere.

use std::sync::Arc;

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, StreamConsumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::mpsc::UnboundedSender;

use crate::config::KafkaConfig;

/// A member of a group.
pub(super) type Member = Arc<StreamConsumer<Context>>;

/// What every client starts from.
const COMMON: [(&str, &str); 8] = [
    ("broker.address.family", "v4"),
    ("log.connection.close", "false"),
    ("enable.metrics.push", "false"),
    ("reconnect.backoff.ms", "20"),
    ("reconnect.backoff.max.ms", "200"),
    ("retry.backoff.ms", "20"),
    ("socket.connection.setup.timeout.ms", "1000"),
    ("socket.nagle.disable", "true"),
];
const MEMBER: [(&str, &str); 14] = [
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("isolation.level", "read_committed"),
    // Where to begin is decided here. That an offset is not there any more must be seen, not healed by skipping.
    ("auto.offset.reset", "error"),
    ("partition.assignment.strategy", "cooperative-sticky"),
    ("allow.auto.create.topics", "false"),
    ("enable.partition.eof", "true"),
    ("heartbeat.interval.ms", "500"),
    ("fetch.wait.max.ms", "100"),
    ("fetch.error.backoff.ms", "20"),
    ("topic.metadata.refresh.interval.ms", "5000"),
    // For each partition, since each has a queue of its own: so much is read ahead, and no more.
    ("queued.min.messages", "1000"),
    ("queued.max.messages.kbytes", "4096"),
    ("fetch.message.max.bytes", "1048576"),
];

/// A change of what this member has.
#[derive(Debug)]
pub(super) enum Change {
    Assigned(Vec<(String, i32)>),
    Revoked(Vec<(String, i32)>),
}

/// What librdkafka calls back.
pub(super) struct Context {
    /// A few for each rebalance, taken out at once: nothing that would need a bound.
    changes: UnboundedSender<Change>,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(target: "librdkafka", ?level, facility, "{message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, reason, "error");
    }
}

impl ConsumerContext for Context {
    /// Called by whoever receives. A partition is taken up from its beginning, which nobody uses: its task seeks its place first.
    fn rebalance(&self, member: &BaseConsumer<Self>, error: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let partitions = || {
            let elements = list.elements();
            elements
                .iter()
                .map(|element| (element.topic().to_owned(), element.partition()))
                .collect()
        };
        let (change, done) = match error {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                let change = Change::Assigned(partitions());
                let set = list.set_all_offsets(Offset::Beginning);
                (Some(change), set.and_then(|()| member.incremental_assign(list)))
            }
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS => {
                (Some(Change::Revoked(partitions())), member.incremental_unassign(list))
            }
            _ => (None, Ok(())),
        };
        if let Err(error) = done {
            tracing::warn!(%error, ?change, "a rebalance was not carried out");
        }
        if let Some(change) = change {
            // Nobody listens any more when the member leaves.
            let _ = self.changes.send(change);
        }
    }
}

/// A member of the consumer's group, without a topic yet.
pub(super) fn member(
    config: &KafkaConfig,
    group: &str,
    session: std::time::Duration,
    changes: UnboundedSender<Change>,
) -> KafkaResult<Member> {
    let session = session.as_millis().to_string();
    let member = base(config)
        .set("client.id", group)
        .set("group.id", group)
        .set("session.timeout.ms", session)
        .apply(&MEMBER)
        .create_with_context(Context { changes })?;
    Ok(Arc::new(member))
}

/// A configuration for these brokers.
pub(super) fn base(config: &KafkaConfig) -> ClientConfig {
    let mut base = ClientConfig::new();
    base.set("bootstrap.servers", config.bootstrap())
        .set_log_level(RDKafkaLogLevel::Warning)
        .apply(&COMMON);
    base
}

/// Many settings at once.
pub(super) trait Apply {
    fn apply(&mut self, settings: &[(&str, &str)]) -> &mut Self;
}

impl Apply for ClientConfig {
    fn apply(&mut self, settings: &[(&str, &str)]) -> &mut Self {
        for (key, value) in settings {
            self.set(*key, *value);
        }
        self
    }
}
