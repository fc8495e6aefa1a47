//! Transactions of librdkafka.

use std::time::{Duration, Instant};

use nova_events::{POSITION, Position};
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use uuid::Uuid;

use super::position::{mark_key, read};
use super::settings::{Quiet, config};
use super::{Log, LogError};
use crate::assemble::{Batch, Record};

const PRODUCER: [(&str, &str); 9] = [
    ("enable.idempotence", "true"),
    ("acks", "all"),
    ("linger.ms", "1"),
    // Others that write by key put one key where these do.
    ("partitioner", "murmur2_random"),
    ("compression.type", "lz4"),
    ("queue.buffering.max.messages", "200000"),
    ("queue.buffering.max.kbytes", "131072"),
    ("transaction.timeout.ms", "10000"),
    ("message.timeout.ms", "9000"),
];

impl rdkafka::producer::ProducerContext for Quiet {
    type DeliveryOpaque = ();

    /// A record that did not arrive fails its transaction.
    fn delivery(&self, _: &rdkafka::producer::DeliveryResult<'_>, (): Self::DeliveryOpaque) {}
}

/// See [`Log`].
pub(crate) struct KafkaLog {
    bootstrap: String,
    slot: String,
    producer: BaseProducer<Quiet>,
}

impl KafkaLog {
    /// A client that has not asked for anything yet. Every member has the same name: that is how one fences the others.
    pub(crate) fn new(bootstrap: &str, slot: &str) -> Result<Self, LogError> {
        let mut config = config(bootstrap, &PRODUCER);
        config.set("transactional.id", format!("nova-cdc-{slot}"));
        let producer = config
            .create_with_context(Quiet)
            .map_err(|error: KafkaError| LogError::new("the Kafka producer could not start", error))?;
        Ok(Self {
            bootstrap: bootstrap.to_owned(),
            slot: slot.to_owned(),
            producer,
        })
    }

    fn send(&self, record: &Record) -> Result<(), LogError> {
        let headers = OwnedHeaders::new_with_capacity(record.headers.len());
        let headers = record.headers.iter().fold(headers, |headers, (key, value)| {
            headers.insert(Header {
                key,
                value: Some(value),
            })
        });
        let out = BaseRecord::<str, [u8]>::to(record.topic)
            .payload(&record.body)
            .headers(headers);
        let out = match &record.key {
            Some(key) => out.key(key.as_str()),
            None => out,
        };
        self.producer
            .send(out)
            .map_err(|(error, _)| LogError::new("a record was refused", format!("{}: {error}", record.topic)))
    }

    /// Into the topic of positions.
    fn send_here(&self, key: &str, body: &str) -> Result<(), LogError> {
        self.producer
            .send(BaseRecord::to(POSITION.name).key(key).payload(body))
            .map_err(|(error, _)| LogError::new("the position was refused", error))
    }

    fn begin(&self) -> Result<(), LogError> {
        self.producer
            .begin_transaction()
            .map_err(|error| LogError::new("no transaction could be begun", error))
    }

    fn commit(&self, until: Instant) -> Result<(), LogError> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.producer.commit_transaction(left) {
                Ok(()) => return Ok(()),
                // The outcome is open, and asking again is how it is found out.
                Err(KafkaError::Transaction(error)) if error.is_retriable() && !left.is_zero() => {}
                Err(error) => return Err(LogError::new("the transaction was not committed", error)),
            }
        }
    }
}

impl Log for KafkaLog {
    fn fence(&self, limit: Duration) -> Result<(), LogError> {
        let until = Instant::now() + limit;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.producer.init_transactions(left) {
                Ok(()) => return Ok(()),
                // Such as a coordinator that is still being found, or that settles what another member had begun.
                Err(KafkaError::Transaction(error)) if error.is_retriable() && !left.is_zero() => {}
                Err(error) => return Err(LogError::new("other writers could not be fenced", error)),
            }
        }
    }

    fn position(&self, limit: Duration) -> Result<Option<Position>, LogError> {
        let until = Instant::now() + limit;
        let mark = Uuid::now_v7().to_string();
        self.begin()?;
        self.send_here(&mark_key(&self.slot), &mark)?;
        self.commit(until)?;
        let left = until.saturating_duration_since(Instant::now());
        read(&self.bootstrap, &self.slot, &mark, left)
    }

    fn publish(&self, batch: &Batch, limit: Duration, sent: &dyn Fn()) -> Result<(), LogError> {
        let until = Instant::now() + limit;
        self.begin()?;
        for record in &batch.records {
            self.send(record)?;
        }
        let position = serde_json::to_string(&batch.position).map_err(|error| LogError::new("the position", error))?;
        self.send_here(&self.slot, &position)?;
        self.producer
            .flush(until.saturating_duration_since(Instant::now()))
            .map_err(|error| LogError::new("the records were not acknowledged", error))?;
        sent();
        self.commit(until)
    }
}
