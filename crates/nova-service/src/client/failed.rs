//! An attempt that has no answer.

use hyper_util::client::legacy;
use thiserror::Error;

/// Answers between services are small; one that is larger is a mistake.
pub(super) const LARGEST: usize = 1 << 20;

/// Why an attempt has no answer.
#[derive(Debug, Error)]
pub enum TransportError {
    /// No connection could be made: the other side has certainly not seen the request.
    #[error("no connection could be made")]
    Connect(#[source] legacy::Error),
    /// The connection broke: the other side may have acted on the request.
    #[error("the connection broke before the whole answer was there")]
    Lost(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The answer does not end.
    #[error("the answer is larger than {LARGEST} bytes")]
    TooLarge,
}
