//! Records with acks=all, idempotence and one request at a time, as an application's one producer sends them that is to write each
//! once. Each writer keeps to one partition, whose order Kafka promises.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use nova_platform::components::Kind;
use nova_platform::endpoints::Endpoints;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tokio::task::spawn_blocking;

use super::{Client, Door, DoorError, Site, WHOLE};
use crate::judge::Found;
use crate::record::Outcome;
use crate::store::Store;

/// A partition for each broker to lead.
const PARTITIONS: i32 = 3;
/// What the name of every topic of a drill begins with.
pub(crate) const TOPICS: &str = "nova.drill.";

/// See the module.
pub(super) struct Kafka {
    bootstrap: String,
    copies: i32,
    in_sync: String,
    producer: Arc<FutureProducer>,
}

impl Kafka {
    pub(super) fn new(site: &Site<'_>) -> Result<Self, DoorError> {
        let bootstrap = bootstrap(site.endpoints);
        let producer = common(&bootstrap)
            .set("acks", "all")
            .set("enable.idempotence", "true")
            // With more of them, a request that is refused for a moment (NOT_ENOUGH_REPLICAS) makes the one behind it out of order,
            // which librdkafka (2.12.1, issue 4953) takes for a reason to number everything anew: what the broker has already,
            // without the producer knowing, is then written twice.
            .set("max.in.flight.requests.per.connection", "1")
            .set("linger.ms", "0")
            .set("message.timeout.ms", "60000")
            .set("topic.metadata.refresh.interval.ms", "1000")
            .create()
            .map_err(|error| DoorError::KafkaClient {
                role: "producer",
                error,
            })?;
        Ok(Self {
            bootstrap,
            copies: i32::from(site.spec.kafka.replication_factor),
            in_sync: site.spec.kafka.min_insync_replicas.to_string(),
            producer: Arc::new(producer),
        })
    }

    fn admin(&self) -> Result<AdminClient<DefaultClientContext>, DoorError> {
        common(&self.bootstrap)
            .create()
            .map_err(|error| DoorError::KafkaClient {
                role: "admin client",
                error,
            })
    }
}

/// The brokers, as librdkafka is told them.
pub(crate) fn bootstrap(endpoints: &Endpoints) -> String {
    let brokers: Vec<String> = endpoints
        .of(Kind::Kafka)
        .iter()
        .map(|broker| broker.address.to_string())
        .collect();
    brokers.join(",")
}

/// What every client of a drill starts from.
pub(crate) fn common(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap)
        .set("client.id", "nova-drill")
        .set("broker.address.family", "v4")
        .set("log.connection.close", "false")
        .set("enable.metrics.push", "false")
        .set("reconnect.backoff.ms", "20")
        .set("reconnect.backoff.max.ms", "200")
        .set("retry.backoff.ms", "20")
        .set("socket.connection.setup.timeout.ms", "1000")
        .set("socket.timeout.ms", "3000")
        .set("socket.nagle.disable", "true")
        .set_log_level(RDKafkaLogLevel::Emerg);
    config
}

fn topic(run: u32) -> String {
    format!("{TOPICS}{run}")
}

fn limits() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(WHOLE))
        .operation_timeout(Some(WHOLE))
}

impl Door for Kafka {
    fn store(&self) -> Store {
        Store::Kafka
    }

    fn prepare(&self, run: u32, _: u16) -> BoxFuture<'_, Result<(), DoorError>> {
        async move {
            let name = topic(run);
            let admin = self.admin()?;
            let not_made = |error| DoorError::Topic {
                topic: name.clone(),
                wanted: "made",
                error,
            };
            let deadline = Instant::now() + WHOLE;
            let result = loop {
                let wanted = NewTopic::new(&name, PARTITIONS, TopicReplication::Fixed(self.copies))
                    .set("min.insync.replicas", &self.in_sync);
                let created = admin.create_topics([&wanted], &limits()).await;
                match created.map(|results| results.into_iter().next()) {
                    Ok(Some(Ok(_)) | None) => break Ok(()),
                    // One that a killed drill left is removed, which takes a moment.
                    Ok(Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists)))) if Instant::now() < deadline => {
                        let _ = admin.delete_topics(&[&name], &limits()).await;
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                    Ok(Some(Err((_, code)))) => break Err(not_made(KafkaError::AdminOp(code))),
                    Err(error) => break Err(not_made(error)),
                }
            };
            // Ending librdkafka's threads takes its time, which no runtime thread has.
            spawn_blocking(move || drop(admin));
            result
        }
        .boxed()
    }

    fn client(&self, run: u32, writer: u16) -> Result<Box<dyn Client>, DoorError> {
        Ok(Box::new(Writer {
            producer: self.producer.clone(),
            topic: topic(run),
            partition: i32::from(writer) % PARTITIONS,
        }))
    }

    fn found(&self, run: u32, _: u16) -> BoxFuture<'_, Result<Option<Found>, DoorError>> {
        let (bootstrap, name) = (self.bootstrap.clone(), topic(run));
        async move {
            let read = spawn_blocking(move || read(&bootstrap, &name)).await;
            read.map_err(DoorError::KafkaThread)?.map(Some)
        }
        .boxed()
    }

    fn remove(&self, run: u32, _: u16) -> BoxFuture<'_, Result<(), DoorError>> {
        async move {
            let name = topic(run);
            let admin = self.admin()?;
            let deleted = admin.delete_topics(&[&name], &limits()).await;
            spawn_blocking(move || drop(admin));
            let stays = |error| DoorError::Topic {
                topic: name.clone(),
                wanted: "removed",
                error,
            };
            match deleted.map(|results| results.into_iter().next()) {
                Ok(Some(Err((_, code)))) if code != RDKafkaErrorCode::UnknownTopicOrPartition => {
                    Err(stays(KafkaError::AdminOp(code)))
                }
                Ok(_) => Ok(()),
                Err(error) => Err(stays(error)),
            }
        }
        .boxed()
    }

    fn leave(&self) -> BoxFuture<'_, Result<(), DoorError>> {
        async { Ok(()) }.boxed()
    }
}

struct Writer {
    producer: Arc<FutureProducer>,
    topic: String,
    partition: i32,
}

impl Client for Writer {
    fn write(&mut self, id: u64) -> BoxFuture<'_, Outcome> {
        async move {
            let payload = id.to_string();
            let record = FutureRecord::<(), str>::to(&self.topic)
                .partition(self.partition)
                .payload(&payload);
            // The library repeats by itself, without effect where the record is there already, until its own limit.
            match self.producer.send_result(record) {
                // The queue was full: nothing was sent.
                Err(_) => Outcome::Failed,
                Ok(delivery) => match delivery.await {
                    Ok(Ok(_)) => Outcome::Acknowledged,
                    Ok(Err(_)) | Err(_) => Outcome::Unknown,
                },
            }
        }
        .boxed()
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        let producer = self.producer.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn_blocking(move || drop(producer));
        }
    }
}

/// Reads every partition from its beginning to its end, as committed.
fn read(bootstrap: &str, topic: &str) -> Result<Found, DoorError> {
    let of = |error: KafkaError| DoorError::Reading {
        topic: topic.to_owned(),
        error,
    };
    let consumer: BaseConsumer = common(bootstrap)
        .set("group.id", "nova-drill")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .create()
        .map_err(of)?;
    let mut assignment = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        assignment
            .add_partition_offset(topic, partition, Offset::Beginning)
            .map_err(of)?;
    }
    consumer.assign(&assignment).map_err(of)?;
    let deadline = Instant::now() + WHOLE;
    let mut partitions = vec![Vec::new(); usize::try_from(PARTITIONS).unwrap_or(0)];
    let mut ended = BTreeSet::new();
    let mut last = None;
    while ended.len() < partitions.len() {
        if Instant::now() > deadline {
            return Err(DoorError::Unread {
                topic: topic.to_owned(),
                last,
            });
        }
        match consumer.poll(Duration::from_millis(200)) {
            None => {}
            Some(Ok(message)) => {
                let id = message
                    .payload()
                    .and_then(|payload| std::str::from_utf8(payload).ok()?.parse().ok());
                let id = id.ok_or_else(|| DoorError::Foreign {
                    place: topic.to_owned(),
                    what: "a record that no writer wrote".to_owned(),
                })?;
                let partition = usize::try_from(message.partition()).unwrap_or(usize::MAX);
                if let Some(ids) = partitions.get_mut(partition) {
                    ids.push(id);
                }
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => drop(ended.insert(partition)),
            Some(Err(error)) => last = Some(error),
        }
    }
    Ok(Found {
        ids: partitions.into_iter().flatten().collect(),
        ordered: true,
    })
}
