//! Repeats what may be repeated, while there is time and the budget allows it.

mod backoff;
mod layer;

pub use backoff::RetrySettings;
pub use layer::{RetryFuture, RetryLayer, RetryService};
