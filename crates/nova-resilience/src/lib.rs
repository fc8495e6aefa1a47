//! Tower layers for a client that cannot hang: one total deadline, retries with a budget, a breaker and a bulkhead.
//!
//! Nothing here does I/O, reads the environment or keeps a global; one [`Resilience`] belongs to one host. It composes,
//! from the outside in:
//!
//! 1. the total deadline, which nothing outlives;
//! 2. retries, each attempt with its share of what remains, which is never too short for a slow host, within the [`Budget`];
//! 3. the [`Breaker`], which answers at once for a host that fails or crawls;
//! 4. the [`Bulkhead`], which caps what is in flight;
//! 5. the attempt's deadline.
//!
//! # What the inner service must be
//! - `Service<Call<R>> + Clone`, always ready: it is called without being polled for readiness, since a retry calls a clone.
//! - Its answer is complete: the body is collected *inside* the service's future, otherwise a peer that sends headers and
//!   then nothing would escape every deadline here.
//! - Dropping its future ends its work.
//! - `R` is cheap to clone (an `Arc`): each attempt gets a clone.

mod breaker;
mod budget;
mod bulkhead;
mod call;
mod classify;
mod deadline;
pub mod header;
mod retry;
mod send;
mod settings;
mod stack;
mod stats;
mod window;

pub use breaker::{
    Breaker, BreakerFuture, BreakerLayer, BreakerService, BreakerSettings, BreakerState, Outcome, Permit,
};
pub use budget::Budget;
pub use bulkhead::{Bulkhead, BulkheadFuture, BulkheadLayer, BulkheadService};
pub use call::{Call, Failure};
pub use classify::{Classify, Health, Repeat, Verdict};
pub use deadline::{Deadline, DeadlineFuture, DeadlineLayer, DeadlineService};
pub use retry::{RetryFuture, RetryLayer, RetryService, RetrySettings};
pub use send::{SendFuture, SendLayer, SendService};
pub use settings::{Settings, SettingsError};
pub use stack::{Resilience, Stack};
pub use stats::{Counters, Snapshot, Stats};
