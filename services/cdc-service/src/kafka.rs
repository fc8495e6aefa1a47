//! Kafka behind one small trait: fence every other writer, ask what was published, publish. Its calls block.

mod client;
mod position;
mod settings;

use std::time::Duration;

use nova_events::Position;
use thiserror::Error;

pub(crate) use client::KafkaLog;

use crate::assemble::Batch;

/// What a member needs of Kafka. After an error it is thrown away: whether a transaction was committed is found out by the next
/// one, which fences first, and then asks.
pub(crate) trait Log: Send + Sync {
    /// From now on nobody else can write under this name; what others had begun is settled.
    fn fence(&self, limit: Duration) -> Result<(), LogError>;

    /// What was published.
    fn position(&self, limit: Duration) -> Result<Option<Position>, LogError>;

    /// Publishes all of a batch and its position, or nothing. `sent` is called in between.
    fn publish(&self, batch: &Batch, limit: Duration, sent: &dyn Fn()) -> Result<(), LogError>;
}

/// Why Kafka did not do it.
#[derive(Debug, Error)]
#[error("{what}: {reason}")]
pub(crate) struct LogError {
    /// What was tried.
    pub(crate) what: &'static str,
    /// What came back.
    pub(crate) reason: String,
}

impl LogError {
    pub(crate) fn new(what: &'static str, reason: impl ToString) -> Self {
        Self {
            what,
            reason: reason.to_string(),
        }
    }
}
