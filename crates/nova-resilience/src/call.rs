//! What passes through the layers: a call on its way in, a failure on its way out.

use std::time::Duration;

use crate::Deadline;

/// A request with what the layers need to know of it.
///
/// `R` is cloned for each attempt and must be cheap to clone: put what is large behind an `Arc`.
#[derive(Clone, Debug)]
pub struct Call<R> {
    /// The request itself.
    pub request: R,
    /// When the call, or this attempt of it, has to be over. The outermost layer only ever moves it earlier.
    pub deadline: Option<Deadline>,
    /// Whether doing it twice is the same as doing it once: an idempotent method, or an idempotency key.
    pub repeatable: bool,
    /// Which attempt this is, from 0; set by the retry layer.
    pub attempt: u32,
}

impl<R> Call<R> {
    /// A call that is not repeatable and has no deadline of its own.
    pub fn new(request: R) -> Self {
        Self {
            request,
            deadline: None,
            repeatable: false,
            attempt: 0,
        }
    }

    /// Marks the call as repeatable, or not.
    #[must_use]
    pub fn repeatable(mut self, repeatable: bool) -> Self {
        self.repeatable = repeatable;
        self
    }

    /// Sets the caller's own deadline, for example what its caller has left.
    #[must_use]
    pub fn within(mut self, deadline: Deadline) -> Self {
        self.deadline = Some(deadline);
        self
    }
}

/// Why a call has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure<E> {
    /// The time was up.
    #[error("{}", deadline_text(*.attempt_sent))]
    DeadlineExceeded {
        /// Whether an attempt may have reached the host, so that the outcome is unknown; `false` means that the host has
        /// certainly not seen the call.
        attempt_sent: bool,
    },
    /// The host failed too often of late and is given a rest; nothing was sent.
    #[error(
        "the host failed or was too slow in recent calls and is left alone for another {retry_after:?}; nothing was sent"
    )]
    Open {
        /// When asking again may make sense.
        retry_after: Duration,
    },
    /// Too many calls to the host are in flight; nothing was sent.
    #[error("too many calls to the host are in flight and waiting; nothing was sent, try again later")]
    Full,
    /// The call failed below, on the way to the host or back.
    #[error("the call failed on its way to the host or back")]
    Transport(#[source] E),
}

fn deadline_text(attempt_sent: bool) -> &'static str {
    if attempt_sent {
        "the deadline passed before the host answered; it may have acted on the call"
    } else {
        "the deadline passed before the call was sent"
    }
}
