//! librdkafka for the checks: small, quiet, and never blocking a runtime thread.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::try_join_all;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use rdkafka::statistics::Statistics;
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::{Brokers, CHECK_TOPIC};
use crate::bounded::Stage;
use crate::endpoints::{HostPort, MemberEndpoint};

/// Longest single wait inside librdkafka, so that a thread notices in time that it is not needed any more.
const POLL: Duration = Duration::from_millis(100);

/// What every client starts from.
const COMMON: [(&str, &str); 10] = [
    ("client.id", "nova-check"),
    ("broker.address.family", "v4"),
    ("log.connection.close", "false"),
    ("enable.metrics.push", "false"),
    ("reconnect.backoff.ms", "20"),
    ("reconnect.backoff.max.ms", "200"),
    ("retry.backoff.ms", "20"),
    ("socket.connection.setup.timeout.ms", "1000"),
    ("socket.nagle.disable", "true"),
    ("receive.message.max.bytes", "2097152"),
];
/// Not idempotent: a record that is there twice does no harm here, while a producer id for each check would stay in the
/// brokers' memory for a day, and getting the first one costs half a second.
const PRODUCER: [(&str, &str); 5] = [
    ("acks", "all"),
    ("max.in.flight", "1"),
    ("linger.ms", "0"),
    ("message.timeout.ms", "10000"),
    ("queue.buffering.max.kbytes", "256"),
];
const CONSUMER: [(&str, &str); 10] = [
    // Named because librdkafka wants it; the group is never joined and nothing is ever committed.
    ("group.id", "nova-check"),
    ("enable.auto.commit", "false"),
    ("isolation.level", "read_committed"),
    ("auto.offset.reset", "error"),
    ("allow.auto.create.topics", "false"),
    ("fetch.wait.max.ms", "100"),
    ("fetch.error.backoff.ms", "20"),
    ("fetch.message.max.bytes", "65536"),
    ("fetch.max.bytes", "1048576"),
    ("queued.max.messages.kbytes", "256"),
];

/// What librdkafka reports and then overcomes: one broker that is down is no reason why another's records cannot be read.
const TRANSIENT: [RDKafkaErrorCode; 5] = [
    RDKafkaErrorCode::BrokerTransportFailure,
    RDKafkaErrorCode::AllBrokersDown,
    RDKafkaErrorCode::Resolve,
    RDKafkaErrorCode::OperationTimedOut,
    RDKafkaErrorCode::LeaderNotAvailable,
];

/// librdkafka's own words, for whoever debugs; what matters comes back as errors.
#[derive(Clone, Copy)]
pub(super) struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(target: "librdkafka", ?level, facility, "{message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, reason, "error");
    }

    fn stats(&self, _: Statistics) {}
}

impl ConsumerContext for Quiet {}

/// A configuration for these brokers.
pub(super) fn config(members: &[MemberEndpoint]) -> ClientConfig {
    let mut config = ClientConfig::new();
    let bootstrap: Vec<_> = members.iter().map(|member| member.address.to_string()).collect();
    config
        .set("bootstrap.servers", bootstrap.join(","))
        .set_log_level(RDKafkaLogLevel::Warning);
    with(config, &COMMON)
}

fn with(mut config: ClientConfig, settings: &[(&str, &str)]) -> ClientConfig {
    for (key, value) in settings {
        config.set(*key, *value);
    }
    config
}

/// See the module.
pub(super) struct Client {
    /// `None` only while being dropped.
    parts: Option<Arc<Parts>>,
}

struct Parts {
    producer: FutureProducer<Quiet>,
    /// One assignment at a time.
    consumer: Mutex<BaseConsumer<Quiet>>,
}

/// The cluster as it sees itself.
#[derive(Debug, Clone, Default)]
pub(super) struct View {
    pub(super) brokers: Brokers,
    /// Of the topic of the checks; empty when it does not exist.
    pub(super) partitions: Vec<Partition>,
}

/// One partition and its copies.
#[derive(Debug, Clone)]
pub(super) struct Partition {
    pub(super) id: i32,
    pub(super) leader: i32,
    pub(super) replicas: Vec<i32>,
    pub(super) in_sync: Vec<i32>,
}

impl View {
    pub(super) fn broker_at(&self, address: &HostPort) -> Option<i32> {
        self.brokers
            .iter()
            .find(|(_, known)| *known == address)
            .map(|(id, _)| *id)
    }

    /// The member with this broker id. One that is not registered has told nobody its id; ids count members from 1.
    pub(super) fn name_of(&self, id: i32, members: &[MemberEndpoint]) -> String {
        let by_address = || {
            let address = self.brokers.get(&id)?;
            members.iter().find(|member| member.address == *address)
        };
        let by_ordinal = || {
            let member = members.get(usize::try_from(id.checked_sub(1)?).ok()?)?;
            self.broker_at(&member.address).is_none().then_some(member)
        };
        by_address()
            .or_else(by_ordinal)
            .map_or_else(|| format!("broker {id}"), |member| member.member.clone())
    }

    pub(super) fn listed(&self) -> String {
        match self.brokers.is_empty() {
            true => "it has none".to_owned(),
            false => self
                .brokers
                .iter()
                .map(|(id, address)| format!("{id} at {address}"))
                .collect::<Vec<_>>()
                .join(", "),
        }
    }
}

impl Client {
    pub(super) fn new(members: &[MemberEndpoint]) -> Result<Self, String> {
        let of = |error: KafkaError| format!("the Kafka client could not start: {error}");
        let producer = with(config(members), &PRODUCER);
        let consumer = with(config(members), &CONSUMER);
        let parts = Parts {
            producer: producer.create_with_context(Quiet).map_err(of)?,
            consumer: Mutex::new(consumer.create_with_context(Quiet).map_err(of)?),
        };
        Ok(Self {
            parts: Some(Arc::new(parts)),
        })
    }

    /// Asks the cluster for its brokers and the topic of the checks.
    pub(super) async fn view(&self, until: Instant) -> Result<View, String> {
        self.blocking(move |parts| {
            let limit = until.saturating_duration_since(Instant::now());
            // Of all topics: asking for one that is missing would have a lenient broker make it, its own way.
            let metadata = parts
                .producer
                .client()
                .fetch_metadata(None, limit)
                .map_err(|error| format!("no broker answered for metadata: {error}"))?;
            let broker = |broker: &rdkafka::metadata::MetadataBroker| {
                let port = u16::try_from(broker.port()).unwrap_or_default();
                (broker.id(), HostPort::new(broker.host(), port))
            };
            let partition = |partition: &rdkafka::metadata::MetadataPartition| Partition {
                id: partition.id(),
                leader: partition.leader(),
                replicas: partition.replicas().to_vec(),
                in_sync: partition.isr().to_vec(),
            };
            let ours = metadata.topics().iter().filter(|topic| topic.name() == CHECK_TOPIC);
            Ok(View {
                brokers: metadata.brokers().iter().map(broker).collect(),
                partitions: ours.flat_map(|topic| topic.partitions()).map(partition).collect(),
            })
        })
        .await
    }

    /// A record into each partition, and each of them read again.
    pub(super) async fn write_and_read(&self, view: &View, stage: &Stage) -> Result<(), String> {
        let nonce = uuid::Uuid::new_v4().to_string();
        let parts = self.parts()?;
        let written = try_join_all(view.partitions.iter().map(async |partition| {
            let to = || {
                format!(
                    "partition {} of {CHECK_TOPIC}, led by broker {}",
                    partition.id, partition.leader
                )
            };
            let record = FutureRecord::<str, str>::to(CHECK_TOPIC)
                .partition(partition.id)
                .payload(&nonce);
            let delivery = parts
                .producer
                .send_result(record)
                .map_err(|(error, _)| format!("{}: {error}", to()))?;
            match delivery.await {
                Ok(Ok(delivery)) => Ok((delivery.partition, delivery.offset)),
                Ok(Err((error, _))) => Err(format!("a record for {} was not acknowledged: {error}", to())),
                Err(_) => Err(format!("a record for {} was given up", to())),
            }
        }))
        .await?;
        stage.enter(format!(
            "the {} acknowledged records to be read as committed from {CHECK_TOPIC}",
            written.len()
        ));
        let until = stage.until();
        self.blocking(move |parts| {
            let consumer = parts.consumer.lock().unwrap_or_else(PoisonError::into_inner);
            read(&consumer, written.into_iter().collect(), &nonce, until)
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Parts) -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        let parts = self.parts()?;
        let result = spawn_blocking(move || work(&parts)).await;
        result.map_err(|error| format!("the Kafka client failed: {error}"))?
    }

    fn parts(&self) -> Result<Arc<Parts>, String> {
        self.parts
            .clone()
            .ok_or_else(|| "the Kafka client has ended".to_owned())
    }
}

/// Reads exactly these records, given as partition and offset.
fn read(
    consumer: &BaseConsumer<Quiet>,
    mut wanted: BTreeMap<i32, i64>,
    nonce: &str,
    until: Instant,
) -> Result<(), String> {
    let of = |error: KafkaError| format!("reading {CHECK_TOPIC}: {error}");
    let mut assignment = TopicPartitionList::new();
    for (partition, offset) in &wanted {
        assignment
            .add_partition_offset(CHECK_TOPIC, *partition, Offset::Offset(*offset))
            .map_err(of)?;
    }
    // An assignment made before the leaders are known waits for librdkafka's next look, which comes once a second.
    let left = until.saturating_duration_since(Instant::now());
    consumer.fetch_metadata(Some(CHECK_TOPIC), left).map_err(of)?;
    consumer.assign(&assignment).map_err(of)?;
    let mut trouble = None;
    let result = loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let missing: Vec<_> = wanted
                .iter()
                .map(|(partition, offset)| format!("partition {partition} offset {offset}"))
                .collect();
            let trouble = trouble.map_or_else(String::new, |code| format!(" ({code})"));
            break Err(format!(
                "acknowledged records of {CHECK_TOPIC} could not be read{trouble}: {}",
                missing.join(", ")
            ));
        }
        let Some(polled) = consumer.poll(left.min(POLL)) else {
            continue;
        };
        let message = match polled {
            Ok(message) => message,
            Err(KafkaError::MessageConsumption(code)) if TRANSIENT.contains(&code) => {
                trouble = Some(code);
                continue;
            }
            Err(error) => break Err(of(error)),
        };
        if wanted.get(&message.partition()) != Some(&message.offset()) {
            continue;
        }
        if message.payload() != Some(nonce.as_bytes()) {
            break Err(format!(
                "{CHECK_TOPIC} holds another record at partition {} offset {} than it acknowledged",
                message.partition(),
                message.offset()
            ));
        }
        wanted.remove(&message.partition());
        if wanted.is_empty() {
            break Ok(());
        }
    };
    let unassigned = consumer.unassign().map_err(of);
    result.and(unassigned)
}

impl Drop for Client {
    /// Ending librdkafka's threads takes its time, which no runtime thread has.
    fn drop(&mut self) {
        let parts = self.parts.take();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn_blocking(move || drop(parts));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Client;
    use crate::endpoints::{HostPort, MemberEndpoint};

    #[test]
    fn librdkafka_accepts_the_settings() {
        let nobody = MemberEndpoint {
            member: "kafka-1".to_owned(),
            address: HostPort::new("127.0.0.1", 1),
        };
        assert_eq!(Client::new(&[nobody]).err(), None);
    }
}
