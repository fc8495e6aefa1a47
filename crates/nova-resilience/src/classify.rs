//! What an answer or an error means: for the breaker, and for a retry.

use std::time::Duration;

/// Tells what the result of an attempt means. Knowledge of the protocol lives here, not in the layers.
///
/// A client's mistake (4xx) is no fault of the host: [`Verdict::success`]. An error before the first byte was sent is
/// [`Verdict::unsent`]. An answer that a tier below marked "do not retry" is [`Verdict::last`].
pub trait Classify<Res, E> {
    /// The verdict on one attempt.
    fn classify(&self, result: Result<&Res, &E>) -> Verdict;
}

impl<F, Res, E> Classify<Res, E> for F
where
    F: Fn(Result<&Res, &E>) -> Verdict,
{
    fn classify(&self, result: Result<&Res, &E>) -> Verdict {
        self(result)
    }
}

/// The meaning of one attempt's result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What it says about the host.
    pub health: Health,
    /// Whether another attempt may help.
    pub repeat: Repeat,
    /// The least time that the host asked to be left alone.
    pub retry_after: Option<Duration>,
}

/// What a result says about the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// The host does its work.
    Good,
    /// The host failed.
    Bad,
    /// Nothing: the result came from somewhere else.
    Unknown,
}

/// Which calls may be repeated after a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// None: it is an answer, or final.
    Never,
    /// Those that are repeatable: the host may have acted on it.
    IfRepeatable,
    /// Every call: the host has certainly not seen it.
    Always,
}

impl Verdict {
    /// An answer.
    pub const fn success() -> Self {
        Self::new(Health::Good, Repeat::Never)
    }

    /// A failure of the host after it may have acted.
    pub const fn failure() -> Self {
        Self::new(Health::Bad, Repeat::IfRepeatable)
    }

    /// A failure before the first byte was sent.
    pub const fn unsent() -> Self {
        Self::new(Health::Bad, Repeat::Always)
    }

    /// Says nothing about the host and is not repeated.
    pub const fn neutral() -> Self {
        Self::new(Health::Unknown, Repeat::Never)
    }

    const fn new(health: Health, repeat: Repeat) -> Self {
        Self {
            health,
            repeat,
            retry_after: None,
        }
    }

    /// The same, but never repeated: a tier below has tried what could be tried.
    #[must_use]
    pub const fn last(mut self) -> Self {
        self.repeat = Repeat::Never;
        self
    }

    /// The same, with the least time before another attempt.
    #[must_use]
    pub const fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }
}
