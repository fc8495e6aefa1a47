//! Histories, told by the publisher itself. When the log of the database cannot be followed from where it was left, a new epoch begins:
//! whoever owns a state topic tells its whole state again, and what was told in between and lost is made good by that.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::{Payload, events};
use crate::topic::{Keep, Topic};

/// The topic.
pub const EPOCHS: Topic = Topic::facts("nova.cdc.epochs", 1, Keep::days(365));

events! {
    /// What happens to histories.
    EpochEvent of EPOCHS:
    /// A new one began.
    Began = "nova.epochs.began.v1",
}

/// A new epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Began {
    /// Its number: greater than all before it.
    pub epoch: u32,
    /// Why the one before could not be followed any more, for people.
    pub reason: String,
    /// Whether owners of state topics are to tell all of it again.
    pub snapshot: bool,
}

impl Payload for Began {
    fn subject(&self) -> String {
        self.epoch.to_string()
    }
}
