//! A sliding time window of counts, kept in a ring of buckets.

use std::time::{Duration, Instant};

/// The last `N` buckets of `width` each, the newest still filling. Time that goes backwards counts as standing still.
#[derive(Debug)]
pub(crate) struct Window<T, const N: usize> {
    width: Duration,
    /// Where the newest bucket begins.
    start: Instant,
    newest: usize,
    buckets: [T; N],
}

impl<T: Copy + Default, const N: usize> Window<T, N> {
    /// An empty window whose first bucket begins at `now`. A width of nothing is taken as a nanosecond.
    pub(crate) fn new(width: Duration, now: Instant) -> Self {
        Self {
            width: width.max(Duration::from_nanos(1)),
            start: now,
            newest: 0,
            buckets: [T::default(); N],
        }
    }

    /// Drops what is too old at `now`.
    pub(crate) fn advance(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.start);
        if elapsed < self.width {
            return;
        }
        let steps = elapsed.as_nanos() / self.width.as_nanos();
        for _ in 0..steps.min(N as u128) {
            self.newest = (self.newest + 1) % N;
            self.buckets[self.newest] = T::default();
        }
        let into = elapsed.as_nanos() % self.width.as_nanos();
        // What is left over is less than a bucket, which fits.
        self.start = now - Duration::from_nanos(u64::try_from(into).unwrap_or(0));
    }

    /// The bucket that is filling.
    pub(crate) fn newest(&mut self) -> &mut T {
        &mut self.buckets[self.newest]
    }

    /// The newest `count` buckets, the filling one first.
    pub(crate) fn recent(&self, count: usize) -> impl Iterator<Item = &T> {
        (0..count.min(N)).map(move |back| &self.buckets[(self.newest + N - back) % N])
    }
}
