//! Reading what was published. Where the topic of positions ends no broker says for certain: one that has just begun to lead may know of
//! less than is committed. So whoever asks first writes a mark there, in a transaction of its own, and reads until it comes: what was
//! committed before it was read before it.

use std::time::{Duration, Instant};

use nova_events::{POSITION, Position};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use super::LogError;
use super::settings::{Quiet, config};

const WHAT: &str = "what was published could not be read";
/// Longest single wait inside librdkafka.
const POLL: Duration = Duration::from_millis(100);
/// Where it looks first: the last position is a few records before the mark, with each other member's mark in between.
const NEAR: i64 = 200;
const CONSUMER: [(&str, &str); 7] = [
    // Named because librdkafka wants it; the group is never joined and nothing is ever committed.
    ("group.id", "nova-cdc"),
    ("enable.auto.commit", "false"),
    ("isolation.level", "read_committed"),
    ("auto.offset.reset", "earliest"),
    ("allow.auto.create.topics", "false"),
    ("fetch.wait.max.ms", "50"),
    ("fetch.error.backoff.ms", "20"),
];
/// What librdkafka reports and then overcomes.
const TRANSIENT: [RDKafkaErrorCode; 4] = [
    RDKafkaErrorCode::BrokerTransportFailure,
    RDKafkaErrorCode::AllBrokersDown,
    RDKafkaErrorCode::OperationTimedOut,
    RDKafkaErrorCode::LeaderNotAvailable,
];

/// By which key a mark is told from a position.
pub(super) fn mark_key(slot: &str) -> String {
    format!("{slot}/owner")
}

/// The last position of a slot before `mark`.
pub(super) fn read(bootstrap: &str, slot: &str, mark: &str, limit: Duration) -> Result<Option<Position>, LogError> {
    let until = Instant::now() + limit;
    let of = |error: KafkaError| LogError::new(WHAT, error);
    let consumer: BaseConsumer<Quiet> = config(bootstrap, &CONSUMER).create_with_context(Quiet).map_err(of)?;
    let left = until.saturating_duration_since(Instant::now());
    let (low, high) = consumer.fetch_watermarks(POSITION.name, 0, left).map_err(of)?;
    let near = low.max(high - NEAR);
    let found = scan(&consumer, near, slot, mark, until)?;
    if found.is_none() && near > low {
        return scan(&consumer, low, slot, mark, until);
    }
    Ok(found)
}

fn scan(
    consumer: &BaseConsumer<Quiet>,
    from: i64,
    slot: &str,
    mark: &str,
    until: Instant,
) -> Result<Option<Position>, LogError> {
    let of = |error: KafkaError| LogError::new(WHAT, error);
    let mut assignment = TopicPartitionList::new();
    assignment
        .add_partition_offset(POSITION.name, 0, Offset::Offset(from))
        .map_err(of)?;
    consumer.assign(&assignment).map_err(of)?;
    let own = mark_key(slot);
    let mut last = None;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(LogError::new(WHAT, "its end was not reached in time"));
        }
        let record = match consumer.poll(left.min(POLL)) {
            None => continue,
            Some(Ok(record)) => record,
            Some(Err(KafkaError::MessageConsumption(code))) if TRANSIENT.contains(&code) => continue,
            Some(Err(error)) => return Err(of(error)),
        };
        let (key, body) = (record.key().unwrap_or_default(), record.payload().unwrap_or_default());
        if key == slot.as_bytes() {
            last = Some(serde_json::from_slice(body).map_err(|error| LogError::new(WHAT, error))?);
        } else if key == own.as_bytes() && body == mark.as_bytes() {
            return Ok(last);
        }
    }
}
