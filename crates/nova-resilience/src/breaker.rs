//! Answers at once for a host that fails or crawls, and finds out with a few probes when it is back.

mod layer;
mod machine;
mod sync;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

pub use layer::{BreakerFuture, BreakerLayer, BreakerService};
pub use machine::{BreakerSettings, BreakerState, Outcome, Permit};

use crate::window;
use machine::Core;

/// One host's breaker; a handle to one shared state.
///
/// Closed, it judges the calls of a sliding window: with the minimum of calls, a share of failed or of slow ones opens it.
/// Open, it refuses for a time. Half open, it lets a few probes through at a time: as many successes close it, one that
/// fails, is slow or is overdue opens it again. A call that is dropped counts as neither and gives its place back, and a
/// call that was let through before the state changed counts no more.
#[derive(Clone, Debug)]
pub struct Breaker(Arc<Core>);

impl Breaker {
    /// A closed breaker.
    pub fn new(settings: BreakerSettings) -> Self {
        Self(Arc::new(Core::new(settings, now())))
    }

    /// Leave for a call at `now`, or the time after which asking again makes sense.
    pub fn admit(&self, now: Instant) -> Result<Permit, Duration> {
        Core::admit(&self.0, now)
    }

    /// What it does now.
    pub fn state(&self) -> BreakerState {
        self.0.state(now())
    }

    /// How often it opened, probes that failed included.
    pub fn opened(&self) -> u64 {
        self.0.opened()
    }
}

/// The time as tests may have set it.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
