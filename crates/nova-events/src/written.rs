//! An event as it stands in PostgreSQL's log: written there by the transaction that it tells of (`pg_logical_emit_message`).
//!
//! One line of JSON says where it goes and is its envelope; what follows is its body, which is passed on as it is.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Envelope;

/// By this prefix events are told from other messages in the log.
pub const PREFIX: &str = "nova.event";

/// The most that an event may have, its envelope included: Kafka takes 1 MiB, headers and all.
pub const MAX_EVENT_BYTES: usize = 900 * 1024;

/// An event in PostgreSQL's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Name of the topic.
    pub topic: String,
    /// What it says of itself.
    pub envelope: Envelope,
    /// JSON.
    pub body: Vec<u8>,
}

/// What is no event.
#[derive(Debug, Error)]
pub enum WrittenError {
    /// It has no line that says what it is.
    #[error("it has no first line that is its envelope")]
    NoEnvelope,
    /// That line cannot be read.
    #[error("its envelope cannot be read: {0}")]
    Envelope(#[source] serde_json::Error),
    /// The body is no JSON.
    #[error("its body is no JSON: {0}")]
    Body(#[source] serde_json::Error),
    /// It is too large.
    #[error("it has {bytes} bytes, more than {MAX_EVENT_BYTES}")]
    TooLarge {
        /// What it has.
        bytes: usize,
    },
}

#[derive(Serialize, Deserialize)]
struct Head<E> {
    topic: String,
    #[serde(flatten)]
    envelope: E,
}

impl Written {
    /// As it is written.
    ///
    /// # Errors
    /// When it is too large.
    pub fn encode(&self) -> Result<Vec<u8>, WrittenError> {
        let head = Head {
            topic: self.topic.clone(),
            envelope: &self.envelope,
        };
        // JSON as serde_json writes it has no line break.
        let mut bytes = serde_json::to_vec(&head).map_err(WrittenError::Envelope)?;
        bytes.push(b'\n');
        bytes.extend_from_slice(&self.body);
        within(&bytes)?;
        Ok(bytes)
    }

    /// Reads what was written. Whether there is such a topic, or such a type, it does not ask.
    ///
    /// # Errors
    /// When it is no event.
    pub fn decode(bytes: &[u8]) -> Result<Self, WrittenError> {
        within(bytes)?;
        let end = bytes
            .iter()
            .position(|byte| *byte == b'\n')
            .ok_or(WrittenError::NoEnvelope)?;
        let (head, body) = (&bytes[..end], &bytes[end + 1..]);
        let head: Head<Envelope> = serde_json::from_slice(head).map_err(WrittenError::Envelope)?;
        serde_json::from_slice::<serde::de::IgnoredAny>(body).map_err(WrittenError::Body)?;
        Ok(Self {
            topic: head.topic,
            envelope: head.envelope,
            body: body.to_vec(),
        })
    }
}

fn within(bytes: &[u8]) -> Result<(), WrittenError> {
    if bytes.len() > MAX_EVENT_BYTES {
        return Err(WrittenError::TooLarge { bytes: bytes.len() });
    }
    Ok(())
}
