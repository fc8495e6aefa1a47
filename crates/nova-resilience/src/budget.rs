//! How many retries a host can be asked to bear: a share of the recent calls, plus a small floor.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::window::Window;

/// Over how long calls and retries are compared.
const WINDOW: Duration = Duration::from_secs(10);
const BUCKETS: usize = 10;
/// One more bucket than calls have: a retry is remembered for the whole window at least, a call for the window at most.
const RING: usize = BUCKETS + 1;
const SECOND: Duration = Duration::from_secs(1);

/// The retries that one host may see; a handle to one shared state.
///
/// A retry is allowed when it keeps the retries of the last 10 s within `ratio` of the calls of the last 10 s, or when
/// fewer than `floor` retries were allowed within the last second.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    ratio: f64,
    floor: usize,
    window: Window<Counts, RING>,
    /// When the last `floor` retries were allowed, oldest first.
    last: VecDeque<Instant>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    calls: u32,
    retries: u32,
}

impl Budget {
    /// `ratio` of the calls, and `floor` retries a second whatever the calls.
    pub fn new(ratio: f64, floor: u32) -> Self {
        let floor = floor as usize;
        Self(Arc::new(Mutex::new(State {
            ratio,
            floor,
            window: Window::new(WINDOW / BUCKETS as u32, tokio::time::Instant::now().into_std()),
            last: VecDeque::with_capacity(floor),
        })))
    }

    /// Notes a call (not an attempt) at `now`.
    pub fn deposit(&self, now: Instant) {
        let mut state = self.lock();
        state.window.advance(now);
        let counts = state.window.newest();
        counts.calls = counts.calls.saturating_add(1);
    }

    /// Asks for a retry at `now`, and notes it when it is allowed.
    pub fn withdraw(&self, now: Instant) -> bool {
        let mut state = self.lock();
        state.window.advance(now);
        let calls: u64 = state.window.recent(BUCKETS).map(|counts| u64::from(counts.calls)).sum();
        let retries: u64 = state.window.recent(RING).map(|counts| u64::from(counts.retries)).sum();
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        let within_ratio = (retries + 1) as f64 <= state.ratio * calls as f64;
        if !within_ratio && !state.within_floor(now) {
            return false;
        }
        let counts = state.window.newest();
        counts.retries = counts.retries.saturating_add(1);
        state.note(now);
        true
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn within_floor(&self, now: Instant) -> bool {
        self.floor > 0
            && (self.last.len() < self.floor
                || self
                    .last
                    .front()
                    .is_some_and(|oldest| now.saturating_duration_since(*oldest) >= SECOND))
    }

    fn note(&mut self, now: Instant) {
        if self.floor == 0 {
            return;
        }
        if self.last.len() == self.floor {
            self.last.pop_front();
        }
        self.last.push_back(now);
    }
}
