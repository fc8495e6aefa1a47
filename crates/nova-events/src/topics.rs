//! The topics: one file for each that services tell something in, and those that the publisher itself needs.

pub mod accounts;
pub mod epochs;
pub mod graph;
pub mod posts;
pub mod probe;
pub mod profiles;

use crate::topic::{Keep, Topic};

pub use epochs::EPOCHS;
pub use probe::PROBE;

/// How far the log was published ([`crate::Position`]); its key is the replication slot. Kept with the events, so that both are
/// committed by one transaction.
pub const POSITION: Topic = Topic::state("nova.cdc.position", 1);

/// What stood in the log with the prefix of events and was none: kept as it was, with the reason as a header.
pub const REJECTED: Topic = Topic::facts("nova.cdc.rejected", 1, Keep::days(30));

/// All of them.
pub const TOPICS: [&Topic; 8] = [
    &accounts::ACCOUNTS,
    &profiles::PROFILES,
    &posts::POSTS,
    &graph::GRAPH,
    &EPOCHS,
    &POSITION,
    &REJECTED,
    &PROBE,
];

/// The topic with a name.
#[must_use]
pub fn topic(name: &str) -> Option<&'static Topic> {
    TOPICS.iter().find(|topic| topic.name == name).copied()
}
