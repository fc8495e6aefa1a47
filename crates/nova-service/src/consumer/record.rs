//! A record of Kafka as it came, and the event that it holds.

use std::panic::{AssertUnwindSafe, catch_unwind};

use nova_events::{Envelope, Version};
use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Headers};

use super::HandlerError;

/// A longer key is no id, and no index of PostgreSQL would take it.
const LONGEST_KEY: usize = 1024;
/// Stands for the name of a header that is no text.
const NAMELESS: &str = "(a name that is no text)";

/// A record as it came: kept whole, so that one that was put aside can be read again as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where it was written.
    pub topic: String,
    /// To which partition.
    pub partition: i32,
    /// At which place of it.
    pub offset: i64,
    /// When, in milliseconds since 1970, as Kafka noted.
    pub written_at: Option<i64>,
    /// What it tells of.
    pub key: Option<Vec<u8>>,
    /// What it says of itself.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// What it says; nothing where a state topic forgets a key.
    pub body: Option<Vec<u8>>,
}

impl Record {
    pub(super) fn of(message: &BorrowedMessage<'_>) -> Self {
        Self {
            topic: message.topic().to_owned(),
            partition: message.partition(),
            offset: message.offset(),
            written_at: message.timestamp().to_millis(),
            key: message.key().map(<[u8]>::to_vec),
            headers: message.headers().map(headers).unwrap_or_default(),
            body: message.payload().map(<[u8]>::to_vec),
        }
    }

    /// What of it lies in memory, nearly.
    pub(super) fn bytes(&self) -> usize {
        let headers = self.headers.iter();
        let headers: usize = headers
            .map(|(name, value)| name.len() + value.as_ref().map_or(0, Vec::len))
            .sum();
        headers + self.key.as_ref().map_or(0, Vec::len) + self.body.as_ref().map_or(0, Vec::len)
    }

    fn pairs(&self) -> impl Iterator<Item = (&str, Option<&[u8]>)> + Clone {
        self.headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_deref()))
    }
}

/// librdkafka's binding panics at a name that is not UTF-8, and whoever can write to the topic chooses the names.
fn headers(headers: &impl Headers) -> Vec<(String, Option<Vec<u8>>)> {
    let header = |index| {
        let read = || {
            headers
                .try_get(index)
                .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)))
        };
        catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Some((NAMELESS.to_owned(), None)))
    };
    (0..headers.count()).filter_map(header).collect()
}

/// An event as a handler sees it.
#[derive(Clone, Debug)]
pub struct Event {
    /// What it says of itself.
    pub envelope: Envelope,
    /// Its place in the history of the database that it comes from.
    pub version: Version,
    record: Record,
}

impl Event {
    /// The type, with its version: `nova.accounts.registered.v1`.
    pub fn kind(&self) -> &str {
        &self.envelope.kind
    }

    /// The id of what it tells of, as Kafka keeps its order.
    pub fn key(&self) -> &[u8] {
        self.record.key.as_deref().unwrap_or_default()
    }

    /// The record that it came in.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The event of a topic's own type; `None` when this program does not know its kind.
    ///
    /// # Errors
    /// [`HandlerError::Permanent`] when the body is not what its kind says.
    pub fn decode<E: nova_events::Event>(&self) -> Result<Option<E>, HandlerError> {
        let body = self.record.body.as_deref().unwrap_or_default();
        E::decode(self.kind(), body).map_err(HandlerError::permanent)
    }
}

/// One record of a batch that is more than passed over.
#[derive(Clone, Debug)]
pub enum Entry {
    /// An event.
    Event(Event),
    /// What cannot be one.
    Malformed {
        /// As it came.
        record: Record,
        /// What is wrong with it.
        reason: String,
    },
}

impl Entry {
    /// Reads the record's headers; its body is the handler's matter.
    pub fn of(record: Record) -> Self {
        let parsed = parse(&record);
        match parsed {
            Ok((envelope, version)) => Self::Event(Event {
                envelope,
                version,
                record,
            }),
            Err(reason) => Self::Malformed { record, reason },
        }
    }

    /// The record as it came.
    pub fn record(&self) -> &Record {
        match self {
            Self::Event(event) => &event.record,
            Self::Malformed { record, .. } => record,
        }
    }
}

fn parse(record: &Record) -> Result<(Envelope, Version), String> {
    let envelope = Envelope::from_headers(record.pairs()).map_err(|error| error.to_string())?;
    let version = Version::from_headers(record.pairs()).map_err(|error| error.to_string())?;
    match record.key.as_deref() {
        None | Some([]) => return Err("the record has no key".to_owned()),
        Some(key) if key.len() > LONGEST_KEY => {
            return Err(format!(
                "the record's key has {} bytes, and may have {LONGEST_KEY}",
                key.len()
            ));
        }
        Some(_) => {}
    }
    if i64::try_from(version.lsn).is_err() {
        return Err(format!("no database has a log as long as {}", version.lsn));
    }
    Ok((envelope, version))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn record(change: impl FnOnce(&mut Record)) -> Record {
        let header = |(name, value): (&str, &str)| (name.to_owned(), Some(value.as_bytes().to_vec()));
        let headers = [
            ("ce_specversion", "1.0"),
            ("ce_id", "0193a1b2-0000-7000-8000-000000000001"),
            ("ce_type", "nova.accounts.deleted.v1"),
            ("ce_source", "/auth-service"),
            ("ce_subject", "ada"),
            ("ce_time", "2026-11-29T21:00:00Z"),
            ("content-type", "application/json"),
            ("nova_epoch", "1"),
            ("nova_lsn", "4711"),
            ("nova_ordinal", "0"),
        ];
        let mut record = Record {
            topic: "nova.accounts".to_owned(),
            partition: 0,
            offset: 7,
            written_at: None,
            key: Some(b"ada".to_vec()),
            headers: headers.map(header).into(),
            body: Some(b"{}".to_vec()),
        };
        change(&mut record);
        record
    }

    fn reason(change: impl FnOnce(&mut Record)) -> String {
        match Entry::of(record(change)) {
            Entry::Malformed { reason, .. } => reason,
            Entry::Event(event) => panic!("taken for an event: {event:?}"),
        }
    }

    #[test]
    fn a_whole_record_is_an_event() {
        let Entry::Event(event) = Entry::of(record(|_| ())) else {
            panic!("refused")
        };
        assert_eq!(event.kind(), "nova.accounts.deleted.v1");
        assert_eq!(event.key(), b"ada");
        assert_eq!(event.version.lsn, 4711);
    }

    #[test]
    fn what_is_no_event_is_named() {
        assert!(reason(|record| record.headers.clear()).contains("ce_specversion"));
        assert!(reason(|record| record.headers.retain(|(name, _)| name != "nova_lsn")).contains("nova_lsn"));
        assert!(reason(|record| record.key = None).contains("no key"));
        assert!(reason(|record| record.key = Some(vec![b'x'; 2000])).contains("2000 bytes"));
        let huge = |record: &mut Record| {
            for (name, value) in &mut record.headers {
                if name == "nova_lsn" {
                    *value = Some(u64::MAX.to_string().into_bytes());
                }
            }
        };
        assert!(reason(huge).contains("log as long"));
    }
}
