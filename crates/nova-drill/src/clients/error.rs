//! Why the clients of a run could not do what they were asked for.

use std::error::Error;

use tokio::task::JoinError;

use crate::doors::DoorError;
use crate::ledger::LedgerError;
use crate::load::{Stuck, Unended};
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
    /// A client did not end as it should.
    #[error(transparent)]
    Unended(#[from] Unended),
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
