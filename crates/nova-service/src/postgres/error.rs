//! What went wrong with PostgreSQL, in the three kinds that a caller must tell apart.

use thiserror::Error;

use super::suspicion::{busy, suspect};
use crate::http::{Problem, codes};
use crate::service::Unavailable;

/// The part of the service that these errors are about.
const PART: &str = "database";

/// An error of a statement or a transaction.
#[derive(Debug, Error)]
pub enum DatabaseError {
    /// PostgreSQL cannot be used now, and nothing was done: try again later.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// A write was sent and its answer was lost: it may have happened.
    #[error("the answer to a write was lost; it may have happened")]
    OutcomeUnknown(#[source] sqlx::Error),
    /// The statement itself failed.
    #[error("statement failed")]
    Query(#[source] sqlx::Error),
}

impl DatabaseError {
    /// Classifies the error of a statement that commits by itself, or of a COMMIT: a lost answer means an unknown
    /// outcome, where for a read it would just be a failure.
    pub fn from_write(error: sqlx::Error) -> Self {
        match judge(&error) {
            Verdict::NeverSent => unavailable(&error),
            Verdict::AnswerLost => {
                suspect();
                Self::OutcomeUnknown(error)
            }
            Verdict::RolledBack => unavailable(&error),
            Verdict::Statement => Self::Query(error),
        }
    }

    /// The named constraint that was violated, for answers such as "this name is taken".
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Query(sqlx::Error::Database(error)) => error.constraint(),
            _ => None,
        }
    }
}

impl From<sqlx::Error> for DatabaseError {
    /// For reads, and for writes inside a transaction, which a lost connection rolls back.
    fn from(error: sqlx::Error) -> Self {
        match judge(&error) {
            Verdict::NeverSent | Verdict::AnswerLost | Verdict::RolledBack => unavailable(&error),
            Verdict::Statement => Self::Query(error),
        }
    }
}

impl From<DatabaseError> for Problem {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Unavailable(unavailable) => unavailable.into(),
            DatabaseError::OutcomeUnknown(cause) => {
                tracing::warn!(error = %cause, "answer to a write was lost");
                Self::new(&codes::OUTCOME_UNKNOWN)
            }
            DatabaseError::Query(sqlx::Error::Database(cause)) if unstorable(cause.as_ref()) => {
                Self::bad_request("the request contains a character that text must not contain, such as NUL")
            }
            DatabaseError::Query(cause) => Self::internal(cause),
        }
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        DatabaseError::from(error).into()
    }
}

/// Text that is valid in Rust and JSON and not in PostgreSQL: NUL.
fn unstorable(error: &dyn sqlx::error::DatabaseError) -> bool {
    matches!(error.code().as_deref(), Some("22021" | "22P05"))
}

fn unavailable(error: &sqlx::Error) -> DatabaseError {
    match cause(error) {
        Cause::Server => suspect(),
        Cause::NothingFree => busy(),
        Cause::Load => {}
    }
    // The watcher logs the change of state once; an outage must not flood the log with one line a request.
    tracing::debug!(%error, "database did not serve a request");
    DatabaseError::Unavailable(Unavailable::new(PART))
}

/// What an error that passes says about the server.
#[derive(Debug, PartialEq, Eq)]
enum Cause {
    /// It may be gone, or no longer the one that it was.
    Server,
    /// Nobody knows: no connection became free in time.
    NothingFree,
    /// It answers, and is busy: a lock not granted, a statement too slow, a deadlock, nothing left of a resource. That is no
    /// failure, and other connections are as good as before.
    Load,
}

fn cause(error: &sqlx::Error) -> Cause {
    match error {
        sqlx::Error::PoolTimedOut => Cause::NothingFree,
        sqlx::Error::Database(error) => match error.code().as_deref().unwrap_or_default() {
            "57014" | "55P03" | "25P03" => Cause::Load,
            code if code.starts_with("40") || code.starts_with("53") => Cause::Load,
            _ => Cause::Server,
        },
        _ => Cause::Server,
    }
}

/// What an error says about the statement.
enum Verdict {
    /// It did not reach the server.
    NeverSent,
    /// It may have reached the server; the answer did not come.
    AnswerLost,
    /// The server answered that it did not do it, for a reason that passes.
    RolledBack,
    /// The server refused the statement itself, or its result does not fit: a matter of the program or its input.
    Statement,
}

fn judge(error: &sqlx::Error) -> Verdict {
    match error {
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::BeginFailed => Verdict::NeverSent,
        sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => Verdict::NeverSent,
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => Verdict::AnswerLost,
        sqlx::Error::Database(error) => match error.code().as_deref().unwrap_or_default() {
            // Refused at the door: starting up, too many connections, wrong password.
            "57P03" | "53300" => Verdict::NeverSent,
            code if code.starts_with("28") => Verdict::NeverSent,
            // The server ended the session; a commit may already be on its way to the standbys.
            code if code.starts_with("57P") || code.starts_with("08") => Verdict::AnswerLost,
            // Demoted (25006), cancelled by a timeout, lock not granted, serialisation, deadlock, out of resources.
            "25006" | "57014" | "55P03" | "25P03" => Verdict::RolledBack,
            code if code.starts_with("40") || code.starts_with("53") => Verdict::RolledBack,
            _ => Verdict::Statement,
        },
        _ => Verdict::Statement,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn reset() -> sqlx::Error {
        sqlx::Error::Io(io::Error::from(io::ErrorKind::ConnectionReset))
    }

    #[test]
    fn a_lost_answer_is_unknown_for_a_write_and_a_failure_for_a_read() {
        assert!(matches!(
            DatabaseError::from_write(reset()),
            DatabaseError::OutcomeUnknown(_)
        ));
        assert!(matches!(DatabaseError::from(reset()), DatabaseError::Unavailable(_)));
    }

    #[test]
    fn what_was_never_sent_is_not_unknown() {
        let refused = sqlx::Error::Io(io::Error::from(io::ErrorKind::ConnectionRefused));
        for error in [sqlx::Error::PoolTimedOut, refused] {
            assert!(matches!(
                DatabaseError::from_write(error),
                DatabaseError::Unavailable(_)
            ));
        }
    }

    /// An answer of the server with this code.
    #[derive(Debug)]
    struct Answered(&'static str);

    impl std::fmt::Display for Answered {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }
    }

    impl std::error::Error for Answered {}

    impl sqlx::error::DatabaseError for Answered {
        fn message(&self) -> &str {
            self.0
        }

        fn code(&self) -> Option<std::borrow::Cow<'_, str>> {
            Some(self.0.into())
        }

        fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
            self
        }

        fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
            self
        }

        fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
            self
        }

        fn kind(&self) -> sqlx::error::ErrorKind {
            sqlx::error::ErrorKind::Other
        }
    }

    #[test]
    fn overload_is_not_taken_for_a_failure() {
        let answered = |code| sqlx::Error::Database(Box::new(Answered(code)));
        // Cancelled by a timeout, lock not granted, idle too long, deadlock, serialisation, connections, memory.
        for code in ["57014", "55P03", "25P03", "40P01", "40001", "53300", "53200"] {
            assert_eq!(cause(&answered(code)), Cause::Load, "{code}");
            assert!(matches!(
                DatabaseError::from(answered(code)),
                DatabaseError::Unavailable(_)
            ));
        }
        assert_eq!(cause(&sqlx::Error::PoolTimedOut), Cause::NothingFree);
        // Demoted, shut down, starting up, connection lost.
        for code in ["25006", "57P01", "57P03", "08006"] {
            assert_eq!(cause(&answered(code)), Cause::Server, "{code}");
        }
        assert_eq!(cause(&reset()), Cause::Server);
    }

    #[test]
    fn defects_are_internal_and_show_no_database_text() {
        let problem = Problem::from(sqlx::Error::ColumnNotFound("secret_column".to_owned()));
        assert_eq!(problem.code().code, "internal");
        assert!(!problem.to_string().contains("secret_column"));
    }
}
