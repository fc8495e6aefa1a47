//! What a service does with events.

use std::error::Error;

use futures::future::BoxFuture;
use sqlx::PgConnection;

use super::Event;
use crate::DatabaseError;
use crate::service::Unavailable;

type Cause = Box<dyn Error + Send + Sync>;

/// What a service does with events.
pub trait Handler: Send + Sync + 'static {
    /// Whether events of this type mean something to it. Others are passed over and counted, so that a topic may tell new things.
    fn wants(&self, kind: &str) -> bool;

    /// Applies events of one partition, in order, by this transaction and by nothing else: it is committed together with the place
    /// in the topic, or not at all. When it fails, events come again, one by one.
    ///
    /// What it does beside the transaction (a call, a message) may happen more than once.
    fn apply<'t>(
        &'t self,
        connection: &'t mut PgConnection,
        events: &'t [Event],
    ) -> BoxFuture<'t, Result<(), HandlerError>>;
}

/// Why events were not applied.
#[derive(Debug, thiserror::Error)]
pub enum HandlerError {
    /// What is needed is not there now, whatever the event: repeated for as long as it takes, and the partition waits.
    #[error("what it needs is not there: {0}")]
    Unavailable(Cause),
    /// It failed, and may be the event's fault: repeated a few times, then the event is put aside.
    #[error("{0}")]
    Failed(Cause),
    /// It will fail each time: the event is put aside at once.
    #[error("{0}")]
    Permanent(Cause),
}

impl HandlerError {
    /// What is needed is not there now.
    pub fn unavailable(cause: impl Into<Cause>) -> Self {
        Self::Unavailable(cause.into())
    }

    /// It failed, and may be the event's fault.
    pub fn failed(cause: impl Into<Cause>) -> Self {
        Self::Failed(cause.into())
    }

    /// It will fail each time.
    pub fn permanent(cause: impl Into<Cause>) -> Self {
        Self::Permanent(cause.into())
    }
}

impl From<DatabaseError> for HandlerError {
    fn from(error: DatabaseError) -> Self {
        match &error {
            DatabaseError::Unavailable(_) | DatabaseError::OutcomeUnknown(_) => Self::unavailable(error),
            DatabaseError::Query(cause) => Self::failed(format!("a statement failed: {cause}")),
        }
    }
}

impl From<sqlx::Error> for HandlerError {
    fn from(error: sqlx::Error) -> Self {
        DatabaseError::from(error).into()
    }
}

impl From<Unavailable> for HandlerError {
    fn from(error: Unavailable) -> Self {
        Self::unavailable(error)
    }
}
