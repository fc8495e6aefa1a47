//! Why a handler did not apply events, in the three kinds that make a difference.

use std::error::Error;

use crate::DatabaseError;
use crate::service::Unavailable;

type Cause = Box<dyn Error + Send + Sync>;

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
