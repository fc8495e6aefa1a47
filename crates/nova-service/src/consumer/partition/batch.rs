//! What is read at once: records until there is none at hand, or enough.

use futures::FutureExt;
use rdkafka::consumer::stream_consumer::StreamPartitionQueue;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;

use super::Reader;
use crate::consumer::kafka::Context;
use crate::consumer::{Entry, Record};

/// More would be too much for one transaction's memory; one record alone may be larger.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// Records of one partition, in order.
pub(super) struct Batch {
    pub(super) entries: Vec<Entry>,
    /// How many were passed over, because this consumer does not know their type.
    pub(super) unknown: u64,
    /// The place after the last one.
    pub(super) next: i64,
    bytes: usize,
    count: usize,
}

/// What the queue said.
enum Heard {
    Record(Box<Record>),
    /// There was no more.
    End,
    /// It reads on by itself.
    Nothing,
    /// The place is not there.
    Lost,
}

impl Reader {
    /// Waits for records from this place on. `None` when the place is not there any more.
    pub(super) async fn fetch(&self, queue: &StreamPartitionQueue<Context>, from: i64) -> Option<Batch> {
        let mut batch = Batch {
            entries: Vec::new(),
            unknown: 0,
            next: from,
            bytes: 0,
            count: 0,
        };
        while batch.count == 0 {
            let heard = hear(queue.recv().await);
            if !self.take(heard, &mut batch) {
                return None;
            }
        }
        while batch.count < self.shared.settings.batch && batch.bytes < MOST_BYTES {
            let Some(received) = queue.recv().now_or_never() else {
                break;
            };
            let heard = hear(received);
            if !self.take(heard, &mut batch) {
                // What was read is good; the next call sees that there is no more.
                break;
            }
        }
        Some(batch)
    }

    fn take(&self, heard: Heard, batch: &mut Batch) -> bool {
        match heard {
            Heard::Record(record) => {
                // From before the seek, if at all.
                if record.offset >= batch.next {
                    self.shared
                        .health
                        .read(&self.partition, Some(record.written_at.unwrap_or(0)));
                    batch.add(*record, |kind| self.shared.sink.wants(kind));
                }
            }
            Heard::End => self.shared.health.read(&self.partition, None),
            Heard::Nothing => {}
            Heard::Lost => return false,
        }
        true
    }
}

impl Batch {
    fn add(&mut self, record: Record, wants: impl Fn(&str) -> bool) {
        self.bytes += record.bytes();
        self.count += 1;
        self.next = record.offset + 1;
        match Entry::of(record) {
            Entry::Event(event) if !wants(event.kind()) => self.unknown += 1,
            entry => self.entries.push(entry),
        }
    }
}

fn hear(received: Result<BorrowedMessage<'_>, KafkaError>) -> Heard {
    match received {
        Ok(message) => Heard::Record(Box::new(Record::of(&message))),
        Err(KafkaError::PartitionEOF(_)) => Heard::End,
        Err(KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange)) => {
            Heard::Lost
        }
        // librdkafka overcomes these by itself; that Kafka is away is seen by whoever watches it.
        Err(error) => {
            tracing::debug!(%error, "the partition's queue reports");
            Heard::Nothing
        }
    }
}
