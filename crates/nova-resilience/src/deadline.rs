//! A point in time at which a call has to be over, and the layer that enforces it.

mod layer;

use std::time::Duration;

use tokio::time::Instant;

pub use layer::{DeadlineFuture, DeadlineLayer, DeadlineService};

/// What stands for "never" when a sum of times overflows.
const FAR: Duration = Duration::from_secs(60 * 60 * 24 * 365);

/// When a call has to be over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// So long from now.
    pub fn after(budget: Duration) -> Self {
        Self::from(Instant::now(), budget)
    }

    /// So long after `start`.
    pub(crate) fn from(start: Instant, budget: Duration) -> Self {
        Self(start.checked_add(budget).unwrap_or(start + FAR))
    }

    /// At that moment.
    pub const fn at(moment: Instant) -> Self {
        Self(moment)
    }

    /// The moment itself.
    pub const fn instant(self) -> Instant {
        self.0
    }

    /// What is left; zero when it has passed.
    pub fn remaining(self) -> Duration {
        self.remaining_at(Instant::now())
    }

    /// What is left at `now`; zero when it has passed.
    pub fn remaining_at(self, now: Instant) -> Duration {
        self.0.saturating_duration_since(now)
    }

    /// Whether it has passed.
    pub fn expired(self) -> bool {
        self.remaining().is_zero()
    }

    /// The earlier of the two.
    pub fn earliest(self, other: Self) -> Self {
        self.min(other)
    }
}
