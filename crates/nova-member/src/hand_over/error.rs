//! Why a leader did not hand over.

use std::time::Duration;

use crate::address::HostPort;
use crate::error::StartError;

/// Why a leader did not hand over.
#[derive(Debug, thiserror::Error)]
pub enum HandOverError {
    /// It is not known who the others are.
    #[error(transparent)]
    Place(#[from] StartError),
    /// The member is not among those that it is described with.
    #[error("{0} is not among the Patronis of its start.json; `nova deploy` writes it anew")]
    NotDescribed(String),
    /// Somebody who must be asked does not answer, or said something else.
    #[error("{at} could not be asked: {why}")]
    Unanswered {
        /// Where.
        at: HostPort,
        /// What happened.
        why: String,
    },
    /// Somebody who was asked refused.
    #[error("{at} refused: {why}")]
    Refused {
        /// Where.
        at: HostPort,
        /// Why, in its words.
        why: String,
    },
    /// None of those who could say so answers.
    #[error("nobody can be asked for another leader: {0}")]
    Nobody(String),
    /// There is no member that could lead.
    #[error("no other member is there that could lead")]
    NoSuccessor,
    /// It was asked for, and nobody leads in time.
    #[error("no other member leads within {} s", .within.as_secs())]
    TimedOut {
        /// How long was waited.
        within: Duration,
    },
}
