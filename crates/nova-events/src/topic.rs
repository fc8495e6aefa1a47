//! What a topic is.

use std::time::Duration;

const DAY: u64 = 24 * 60 * 60;

/// A topic, declared once. Its copies, and how many of them acknowledge, are the platform's (`[kafka]` in nova.toml).
#[derive(Debug, PartialEq, Eq)]
pub struct Topic {
    /// As Kafka knows it.
    pub name: &'static str,
    /// How many partitions it has. They can become more, never fewer; and with more of them a key may move to another, so that its
    /// order is kept by versions alone while old events are still read.
    pub partitions: u16,
    /// What is kept of it, and for how long.
    pub keep: Keep,
}

/// What a topic keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// State: the last event of each key, which says all there is to say of it, so that a consumer can be rebuilt from Kafka alone.
    LastOfEachKey,
    /// Facts: everything, for this long.
    For(Duration),
}

impl Keep {
    /// Facts that are kept for so many days.
    #[must_use]
    pub const fn days(days: u64) -> Self {
        Self::For(Duration::from_secs(days * DAY))
    }
}

impl Topic {
    /// A state topic.
    #[must_use]
    pub const fn state(name: &'static str, partitions: u16) -> Self {
        Self {
            name,
            partitions,
            keep: Keep::LastOfEachKey,
        }
    }

    /// A topic of facts.
    #[must_use]
    pub const fn facts(name: &'static str, partitions: u16, keep: Keep) -> Self {
        Self { name, partitions, keep }
    }

    /// Where consumers put what they cannot apply.
    #[must_use]
    pub fn dead_letters(&self) -> String {
        format!("{}.dlq", self.name)
    }
}
