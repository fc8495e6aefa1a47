//! What was found of a run, store by store.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::store::Store;

/// What a failover spent its time on, in milliseconds, one after another from the fault to the acknowledgement that the last of
/// the clients waited for. `null` is what the logs do not tell, and everything when nobody else had to lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, JsonSchema, Serialize, Deserialize)]
pub struct Phases {
    /// Until the others knew that the leader was gone.
    pub detection_ms: Option<u64>,
    /// Until another one was chosen.
    pub election_ms: Option<u64>,
    /// Until that one served.
    pub promotion_ms: Option<u64>,
    /// Until the slowest client was acknowledged by it.
    pub rerouting_ms: Option<u64>,
}

impl Phases {
    /// The names as they are shown, and how long each took.
    #[must_use]
    pub fn named(&self) -> [(&'static str, Option<u64>); 4] {
        [
            ("detection", self.detection_ms),
            ("election", self.election_ms),
            ("promotion", self.promotion_ms),
            ("rerouting", self.rerouting_ms),
        ]
    }

    /// Whether anything is known.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.named().iter().any(|(_, took)| took.is_some())
    }
}

/// One store's part in a run.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct StoreReport {
    /// Which store.
    pub store: Store,
    /// The longest time that a writer went without an acknowledgement; `null` when one never got any again.
    pub rto_ms: Option<u64>,
    /// Acknowledged operations.
    pub acknowledged: u64,
    /// Operations that surely were not done.
    pub failed: u64,
    /// Operations without an answer.
    pub unknown: u64,
    /// Acknowledged and missing at the end; `null` when what the store holds was not looked at.
    pub lost: Option<u64>,
    /// Present more than once.
    pub duplicated: u64,
    /// Failed, and present all the same.
    pub risen: u64,
    /// Behind a later one of the same writer, where the store promises the order.
    pub reordered: u64,
    /// The first of the ids that are lost, duplicated, risen or reordered.
    pub suspects: Vec<u64>,
    /// Acknowledged operations a second.
    pub timeline: Vec<u64>,
    /// Which of those seconds the fault begins.
    pub fault_second: usize,
    /// Acknowledged operations in each 100 ms, from at most two seconds before the fault on.
    #[serde(default)]
    pub steps: Vec<u64>,
    /// Which of those begins with the fault.
    #[serde(default)]
    pub fault_step: usize,
    /// What the time was spent on; `null` when the logs do not tell, or when nobody else had to lead.
    #[serde(default)]
    pub phases: Option<Phases>,
}

/// One run: one fault.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct RunReport {
    /// Counts from 1, over all of a call's drills.
    pub run: u32,
    /// Whom it hit.
    pub members: Vec<String>,
    /// The worst of the stores; `null` when one did not recover.
    pub rto_ms: Option<u64>,
    /// Of all stores.
    pub acknowledged: u64,
    /// Of all stores.
    pub failed: u64,
    /// Of all stores.
    pub unknown: u64,
    /// Of all stores; `null` when what one of them holds was not looked at.
    pub lost: Option<u64>,
    /// Of all stores.
    pub duplicated: u64,
    /// From the end of what was done (the kill, the continuation, the node's return) until every member ran again and every
    /// check passed; `null` when that is not known.
    pub rejoined_ms: Option<u64>,
    /// What was still amiss when it was waited for no longer; `null` when everything was whole again, or when that is not known.
    #[serde(default)]
    pub not_whole: Option<String>,
    /// Each store.
    pub stores: Vec<StoreReport>,
}
