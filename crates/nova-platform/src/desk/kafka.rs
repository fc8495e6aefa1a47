//! What Kafka itself says: topics, where partitions end, the last records.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{Offset, TopicPartitionList};
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use super::{DeskError, PlaceSeen};
use crate::endpoints::MemberEndpoint;

const ASK: Duration = Duration::from_secs(5);
/// How long reading the last records may take.
const WHOLE: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(100);

/// A topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicSeen {
    /// Its name.
    pub name: String,
    /// Its partitions.
    pub partitions: usize,
    /// From the first record to the end, all partitions together: more than there is of a compacted topic.
    pub records: i64,
    /// Partitions that have no leader now.
    pub leaderless: usize,
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Of which partition.
    pub partition: i32,
    /// Its place there.
    pub offset: i64,
    /// When it was written, in milliseconds since 1970.
    pub written_at: Option<i64>,
    /// Its key, as text.
    pub key: Option<String>,
    /// Its headers, as text.
    pub headers: BTreeMap<String, String>,
    /// Its body, as text; nothing where a key is forgotten.
    pub body: Option<String>,
}

/// See the module.
pub(super) struct Kafka {
    bootstrap: String,
}

impl Kafka {
    pub(super) fn new(members: &[MemberEndpoint]) -> Self {
        let brokers: Vec<_> = members.iter().map(|member| member.address.to_string()).collect();
        Self {
            bootstrap: brokers.join(","),
        }
    }

    /// All topics but Kafka's own.
    pub(super) async fn topics(&self) -> Result<Vec<TopicSeen>, DeskError> {
        self.blocking(|consumer| {
            let metadata = consumer.fetch_metadata(None, ASK)?;
            let ours = metadata.topics().iter().filter(|topic| !topic.name().starts_with("__"));
            let mut topics = Vec::new();
            for topic in ours {
                let (mut records, mut leaderless) = (0, 0);
                for partition in topic.partitions() {
                    if partition.leader() < 0 {
                        leaderless += 1;
                        continue;
                    }
                    let (first, end) = consumer.fetch_watermarks(topic.name(), partition.id(), ASK)?;
                    records += end - first;
                }
                topics.push(TopicSeen {
                    name: topic.name().to_owned(),
                    partitions: topic.partitions().len(),
                    records,
                    leaderless,
                });
            }
            topics.sort_by(|one, other| one.name.cmp(&other.name));
            Ok(topics)
        })
        .await
    }

    /// Notes where partitions end.
    pub(super) async fn ends(&self, places: &mut [PlaceSeen]) -> Result<(), DeskError> {
        let wanted: Vec<(String, i32)> = places
            .iter()
            .map(|place| (place.topic.clone(), place.partition))
            .collect();
        let ends = self
            .blocking(move |consumer| {
                // Of all topics: asking for one that is missing would have a lenient broker make it, its own way.
                let metadata = consumer.fetch_metadata(None, ASK)?;
                let there = |topic: &str, partition: i32| {
                    let topic = metadata.topics().iter().find(|there| there.name() == topic);
                    topic.is_some_and(|topic| topic.partitions().iter().any(|there| there.id() == partition))
                };
                let end = |(topic, partition): &(String, i32)| {
                    if !there(topic, *partition) {
                        return Ok(None);
                    }
                    let (_, end) = consumer.fetch_watermarks(topic, *partition, ASK)?;
                    Ok(Some(end))
                };
                wanted.iter().map(end).collect::<Result<Vec<_>, KafkaError>>()
            })
            .await?;
        for (place, end) in places.iter_mut().zip(ends) {
            place.end = end;
            place.behind = end.map(|end| (end - place.next).max(0));
        }
        Ok(())
    }

    /// The last records of each partition of a topic, as committed.
    pub(super) async fn tail(&self, topic: &str, count: u16) -> Result<Vec<Seen>, DeskError> {
        let name = topic.to_owned();
        let records = self.blocking(move |consumer| tail(consumer, &name, count)).await?;
        records.ok_or_else(|| DeskError::NoTopic { name: topic.to_owned() })
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&BaseConsumer) -> Result<T, KafkaError> + Send + 'static,
    ) -> Result<T, DeskError> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.bootstrap)
            .set("client.id", "nova-events")
            // Named because librdkafka wants it; the group is never joined and nothing is ever committed.
            .set("group.id", "nova-events")
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            .set("allow.auto.create.topics", "false")
            .set("broker.address.family", "v4")
            .set("log.connection.close", "false")
            .set("enable.metrics.push", "false")
            .set("socket.connection.setup.timeout.ms", "1000")
            .set_log_level(RDKafkaLogLevel::Emerg);
        let asking = spawn_blocking(move || {
            let consumer: BaseConsumer = config.create()?;
            work(&consumer)
        });
        let answer = asking.await.map_err(|error| DeskError::Kafka(error.to_string()))?;
        answer.map_err(|error| DeskError::Kafka(error.to_string()))
    }
}

fn tail(consumer: &BaseConsumer, topic: &str, count: u16) -> Result<Option<Vec<Seen>>, KafkaError> {
    let metadata = consumer.fetch_metadata(None, ASK)?;
    let Some(there) = metadata.topics().iter().find(|there| there.name() == topic) else {
        return Ok(None);
    };
    let mut list = TopicPartitionList::new();
    for partition in there.partitions() {
        let (first, end) = consumer.fetch_watermarks(topic, partition.id(), ASK)?;
        // Marks of transactions count as well; more is read, and what is too much is left out below.
        let from = (end - 2 * i64::from(count)).max(first);
        list.add_partition_offset(topic, partition.id(), Offset::Offset(from))?;
    }
    consumer.assign(&list)?;
    let until = Instant::now() + WHOLE;
    let (mut found, mut open): (BTreeMap<i32, Vec<Seen>>, usize) = (BTreeMap::new(), list.count());
    while open > 0 && Instant::now() < until {
        match consumer.poll(POLL) {
            Some(Ok(message)) => found.entry(message.partition()).or_default().push(seen(&message)),
            Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
            Some(Err(_)) | None => {}
        }
    }
    let last = |records: Vec<Seen>| {
        let skip = records.len().saturating_sub(usize::from(count));
        records.into_iter().skip(skip)
    };
    Ok(Some(found.into_values().flat_map(last).collect()))
}

fn seen(message: &BorrowedMessage<'_>) -> Seen {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = message.headers().map(|headers| {
        let header = |header: rdkafka::message::Header<'_, &[u8]>| {
            (header.key.to_owned(), header.value.map(text).unwrap_or_default())
        };
        headers.iter().map(header).collect()
    });
    Seen {
        partition: message.partition(),
        offset: message.offset(),
        written_at: message.timestamp().to_millis(),
        key: message.key().map(text),
        headers: headers.unwrap_or_default(),
        body: message.payload().map(text),
    }
}
