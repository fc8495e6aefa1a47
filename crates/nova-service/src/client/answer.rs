//! What comes back from a call: a whole answer, or why there is none.

use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use nova_resilience::Failure;
use nova_resilience::header::DO_NOT_RETRY_HEADER;
use serde::de::DeserializeOwned;
use thiserror::Error;

use super::failed::TransportError;
use crate::http::Problem;

/// An answer with its whole body.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, at most 1 MiB.
    pub body: Bytes,
    dependency: &'static str,
    /// Whether it says that the little time which it was given was up.
    hurried: bool,
}

/// Why a call has no usable answer. Each names the service that was called.
#[derive(Debug, Error)]
pub enum CallError {
    /// The time was up.
    #[error("{dependency} did not answer in time")]
    DeadlineExceeded {
        /// Who was called.
        dependency: &'static str,
        /// Whether it may have acted on the call.
        sent: bool,
    },
    /// Calls to it fail, so that this one was not sent.
    #[error("{dependency} failed too often of late and is left alone for {retry_after:?}")]
    Open {
        /// Who was to be called.
        dependency: &'static str,
        /// When it is tried again.
        retry_after: Duration,
    },
    /// Too many calls to it are in flight, so that this one was not sent.
    #[error("too many calls to {dependency} are in flight")]
    Full {
        /// Who was to be called.
        dependency: &'static str,
    },
    /// Nobody listens, or the connection broke.
    #[error("the call to {dependency} failed")]
    Transport {
        /// Who was called.
        dependency: &'static str,
        /// How it failed.
        source: TransportError,
    },
    /// It answered with an error.
    #[error("{dependency} answered {status}")]
    Status {
        /// Who was called.
        dependency: &'static str,
        /// The status.
        status: StatusCode,
    },
    /// Its answer is not what was agreed.
    #[error("the answer of {dependency} cannot be read")]
    Malformed {
        /// Who was called.
        dependency: &'static str,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The call itself cannot be made: a defect of this service.
    #[error("the call to {dependency} is not valid: {error}")]
    Invalid {
        /// Who was to be called.
        dependency: &'static str,
        /// What is wrong with it.
        error: String,
    },
}

impl Answer {
    pub(super) fn new(status: StatusCode, headers: HeaderMap, body: Bytes) -> Self {
        Self {
            status,
            headers,
            body,
            dependency: "",
            hurried: false,
        }
    }

    /// Notes whether the other side was given too little time to be blamed for having run out of it.
    pub(super) fn with_little_time(mut self, little: bool) -> Self {
        self.hurried = little && self.status == StatusCode::GATEWAY_TIMEOUT;
        self
    }

    pub(super) fn is_hurried(&self) -> bool {
        self.hurried
    }

    pub(super) fn from(mut self, dependency: &'static str) -> Self {
        self.dependency = dependency;
        self
    }

    /// Whether a tier below says that trying again is of no use.
    pub(super) fn is_final(&self) -> bool {
        self.headers.contains_key(DO_NOT_RETRY_HEADER)
    }

    /// The answer if its status is 2xx.
    ///
    /// # Errors
    /// With any other status.
    pub fn success(self) -> Result<Self, CallError> {
        if self.status.is_success() {
            return Ok(self);
        }
        Err(CallError::Status {
            dependency: self.dependency,
            status: self.status,
        })
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When it is something else.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, CallError> {
        serde_json::from_slice(&self.body).map_err(|source| CallError::Malformed {
            dependency: self.dependency,
            source,
        })
    }
}

impl CallError {
    pub(super) fn of(dependency: &'static str, failure: Failure<TransportError>) -> Self {
        match failure {
            Failure::DeadlineExceeded { attempt_sent: sent } => Self::DeadlineExceeded { dependency, sent },
            Failure::Open { retry_after } => Self::Open {
                dependency,
                retry_after,
            },
            Failure::Full => Self::Full { dependency },
            Failure::Transport(source) => Self::Transport { dependency, source },
        }
    }

    /// The service that was called.
    pub fn dependency(&self) -> &'static str {
        match self {
            Self::DeadlineExceeded { dependency, .. }
            | Self::Open { dependency, .. }
            | Self::Full { dependency }
            | Self::Transport { dependency, .. }
            | Self::Status { dependency, .. }
            | Self::Malformed { dependency, .. }
            | Self::Invalid { dependency, .. } => dependency,
        }
    }
}

impl From<CallError> for Problem {
    /// 503 `dependency_unavailable`, or 500 for a defect. Whoever called this service must not repeat the call: it was
    /// repeated here, or repeating does not help.
    fn from(error: CallError) -> Self {
        let problem = match error {
            CallError::Malformed { .. } | CallError::Invalid { .. } => Self::internal(error),
            CallError::Open { retry_after, .. } => {
                Self::dependency_unavailable(error.dependency()).retry_after(retry_after)
            }
            _ => Self::dependency_unavailable(error.dependency()),
        };
        problem.do_not_retry()
    }
}
