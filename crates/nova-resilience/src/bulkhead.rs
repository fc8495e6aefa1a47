//! A hard cap on what is in flight to one host, with a short queue before it.

mod layer;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use layer::{BulkheadFuture, BulkheadLayer, BulkheadService};

/// One host's places; a handle to one shared state.
#[derive(Clone, Debug)]
pub struct Bulkhead(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    places: Arc<Semaphore>,
    limit: usize,
    wait: Duration,
    waiting: AtomicUsize,
}

impl Bulkhead {
    /// `limit` calls in flight; as many more may wait for a place, each for `wait` at most. No wait means no queue.
    pub fn new(limit: usize, wait: Duration) -> Self {
        let limit = limit.min(Semaphore::MAX_PERMITS);
        Self(Arc::new(Shared {
            places: Arc::new(Semaphore::new(limit)),
            limit,
            wait,
            waiting: AtomicUsize::new(0),
        }))
    }

    /// How many calls are in flight.
    pub fn in_flight(&self) -> usize {
        self.0.limit - self.0.places.available_permits()
    }

    /// How many calls wait for a place.
    pub fn waiting(&self) -> usize {
        self.0.waiting.load(Ordering::Relaxed)
    }

    fn try_enter(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0.places).try_acquire_owned().ok()
    }

    /// A place in the queue, if there is one.
    fn queue(&self) -> Option<Queued> {
        if self.0.wait.is_zero() {
            return None;
        }
        let taken = self.0.waiting.fetch_add(1, Ordering::Relaxed);
        // Made before the check, so that it gives the place back when there was none.
        let queued = Queued(self.clone());
        (taken < self.0.limit).then_some(queued)
    }
}

/// A place in the queue, given back when dropped.
#[derive(Debug)]
struct Queued(Bulkhead);

impl Drop for Queued {
    fn drop(&mut self) {
        self.0.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
