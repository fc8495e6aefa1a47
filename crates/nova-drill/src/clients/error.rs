//! Why the clients of a run could not do what they were asked for.

use std::error::Error;
use std::time::Duration;

use tokio::task::JoinError;

use crate::doors::DoorError;
use crate::ledger::LedgerError;
use crate::store::Store;
use crate::switchover::SwitchoverError;

/// What clients were asked for and could not do.
#[derive(Debug, thiserror::Error)]
pub enum ClientsError {
    /// A store's door.
    #[error(transparent)]
    Door(#[from] DoorError),
    /// Somebody's writes are not acknowledged.
    #[error(transparent)]
    Stuck(#[from] Stuck),
    /// A client panicked.
    #[error("a writer failed: {0}")]
    Writer(JoinError),
    /// A client did not end its last operation.
    #[error("a writer did not end within {} s", .within.as_secs())]
    Endless {
        /// How long was waited.
        within: Duration,
    },
    /// The ledger cannot be kept.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Nobody waits for the ledger any more.
    #[error("waiting for the ledger: {0}")]
    Flush(JoinError),
    /// A leader did not step down.
    #[error(transparent)]
    Switchover(#[from] SwitchoverError),
    /// Clients that run elsewhere said why they could not.
    #[error("{0}")]
    Told(String),
    /// Clients that run elsewhere could not be started, asked or heard.
    #[error(transparent)]
    Elsewhere(Box<dyn Error + Send + Sync>),
}

/// Not every client of these stores was acknowledged in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not every writer was acknowledged within {} s: {}", .within.as_secs(), named(.stores))]
pub struct Stuck {
    /// Of which stores.
    pub stores: Vec<Store>,
    /// How long was waited.
    pub within: Duration,
}

fn named(stores: &[Store]) -> String {
    stores.iter().map(Store::to_string).collect::<Vec<_>>().join(", ")
}
