//! How often to retry, how long to wait before it, and how much time an attempt gets.

use std::time::Duration;

use tokio::time::Instant;

use crate::Deadline;

/// The numbers of a retry layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetrySettings {
    /// Retries after the first attempt.
    pub max: u32,
    /// The longest wait before the first retry; it doubles with each.
    pub delay: Duration,
    /// The longest wait before any retry.
    pub delay_max: Duration,
    /// What answers within this is never cut off to try again, as long as the call itself has that long.
    pub attempt_min: Duration,
}

impl RetrySettings {
    /// The longest wait after the attempt with that number (from 0).
    pub(super) fn longest_wait(&self, attempt: u32) -> Duration {
        let factor = 1_u32.checked_shl(attempt).unwrap_or(u32::MAX);
        self.delay.saturating_mul(factor).min(self.delay_max)
    }

    /// When the attempt with that number (from 0) has to be over: an attempt is cut off only where another one can still win. What
    /// is left is shared by the attempts that are left, but none has less than `attempt_min`: a host that is merely slow would be
    /// just as slow again. The last one has all of it, and so has a call that is not repeatable, since only a failure before
    /// anything was sent could be repeated.
    pub(super) fn attempt_deadline(
        &self,
        now: Instant,
        total: Option<Deadline>,
        attempt: u32,
        repeatable: bool,
    ) -> Option<Deadline> {
        let total = total?;
        if !repeatable || attempt >= self.max {
            return Some(total);
        }
        let left = total.remaining_at(now);
        let share = left / (self.max - attempt + 1);
        Some(Deadline::at(now + share.max(self.attempt_min).min(left)))
    }
}

/// Full jitter: anything from nothing to `longest`, so that those who failed together do not come back together.
pub(super) fn full_jitter(longest: Duration) -> Duration {
    rand::random_range(Duration::ZERO..=longest)
}
