//! How far the log of the database has been published: stored in Kafka, in the very transaction that publishes.

use serde::{Deserialize, Serialize};

/// How far the log of the database has been published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Which database cluster, as PostgreSQL identifies it.
    pub system: String,
    /// The timeline on which that was.
    pub timeline: u32,
    /// Everything that was committed before this place is published; nothing after it is, but for what `partial` says.
    pub lsn: u64,
    /// A transaction after it of which the beginning is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<Partial>,
    /// Which history.
    pub epoch: u32,
}

/// A transaction so large that it is published in parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partial {
    /// Where it was committed.
    pub commit_lsn: u64,
    /// The first of its events that is not published.
    pub next: u32,
}
