//! What happened so far, in plain atomics; whoever shows it brings its own metrics library.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Breaker, BreakerState, Bulkhead};

/// Counts of events since the start, shared by the layers of one host.
#[derive(Clone, Debug, Default)]
pub struct Counters(Arc<Events>);

#[derive(Debug, Default)]
struct Events {
    calls: AtomicU64,
    attempts: AtomicU64,
    retries: AtomicU64,
    retries_refused: AtomicU64,
    rejected_open: AtomicU64,
    rejected_full: AtomicU64,
    deadline_exceeded: AtomicU64,
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Counters {
    pub(crate) fn call(&self) {
        add(&self.0.calls);
    }

    pub(crate) fn attempt(&self) {
        add(&self.0.attempts);
    }

    pub(crate) fn retry(&self) {
        add(&self.0.retries);
    }

    pub(crate) fn retry_refused(&self) {
        add(&self.0.retries_refused);
    }

    pub(crate) fn open(&self) {
        add(&self.0.rejected_open);
    }

    pub(crate) fn full(&self) {
        add(&self.0.rejected_full);
    }

    pub(crate) fn deadline_exceeded(&self) {
        add(&self.0.deadline_exceeded);
    }
}

/// A handle to what one host's layers count; cheap to clone.
#[derive(Clone, Debug)]
pub struct Stats {
    pub(crate) counters: Counters,
    pub(crate) breaker: Breaker,
    pub(crate) bulkhead: Bulkhead,
}

impl Stats {
    /// The numbers now. They are read one after another, not all at one moment.
    pub fn snapshot(&self) -> Snapshot {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let events = &self.counters.0;
        Snapshot {
            calls: read(&events.calls),
            attempts: read(&events.attempts),
            retries: read(&events.retries),
            retries_refused: read(&events.retries_refused),
            rejected_open: read(&events.rejected_open),
            rejected_full: read(&events.rejected_full),
            deadline_exceeded: read(&events.deadline_exceeded),
            in_flight: self.bulkhead.in_flight(),
            waiting: self.bulkhead.waiting(),
            breaker: self.breaker.state(),
            opened: self.breaker.opened(),
        }
    }
}

/// One host's numbers at a moment; counts are since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Calls begun.
    pub calls: u64,
    /// Attempts handed to the inner service.
    pub attempts: u64,
    /// Retries begun.
    pub retries: u64,
    /// Retries that the budget refused.
    pub retries_refused: u64,
    /// Attempts refused by the open breaker.
    pub rejected_open: u64,
    /// Attempts refused by the full bulkhead.
    pub rejected_full: u64,
    /// Calls that ended at a deadline.
    pub deadline_exceeded: u64,
    /// Attempts in flight now.
    pub in_flight: usize,
    /// Attempts that wait for a place now.
    pub waiting: usize,
    /// What the breaker does now.
    pub breaker: BreakerState,
    /// How often the breaker opened, probes that failed included.
    pub opened: u64,
}
