//! What drills cost: each run, and p50, p95 and max over the runs. Serialises as `nova.drill/v1`.

mod build;

use serde::{Deserialize, Serialize};

use crate::circumstances::Circumstances;
use crate::doors::Store;
use crate::fault::Fault;
use crate::phases::Phases;

/// Name and version of the JSON shape.
pub const SCHEMA: &str = "nova.drill/v1";

/// What a fault may cost one store: p95 of the recovery time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Which store.
    pub store: Store,
    /// Milliseconds.
    pub ms: u64,
}

/// One store's part in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// Each store.
    pub stores: Vec<StoreReport>,
}

/// Over the runs, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    /// Half of the runs took no longer.
    pub p50: u64,
    /// 95 of 100 took no longer.
    pub p95: u64,
    /// The longest.
    pub max: u64,
}

/// One store's recovery over the runs, against its budget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreSummary {
    /// Which store.
    pub store: Store,
    /// `null` when a run did not recover.
    pub rto_ms: Option<Spread>,
    /// What p95 may be; `null` when nothing was set.
    pub budget_ms: Option<u64>,
    /// What the time was spent on.
    pub phases: PhaseSpreads,
}

/// Each phase over those runs that tell it; `null` when none does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PhaseSpreads {
    /// See [`Phases::detection_ms`].
    pub detection_ms: Option<Spread>,
    /// See [`Phases::election_ms`].
    pub election_ms: Option<Spread>,
    /// See [`Phases::promotion_ms`].
    pub promotion_ms: Option<Spread>,
    /// See [`Phases::rerouting_ms`].
    pub rerouting_ms: Option<Spread>,
}

impl PhaseSpreads {
    /// The names as they are shown, and what each took.
    #[must_use]
    pub fn named(&self) -> [(&'static str, Option<Spread>); 4] {
        [
            ("detection", self.detection_ms),
            ("election", self.election_ms),
            ("promotion", self.promotion_ms),
            ("rerouting", self.rerouting_ms),
        ]
    }
}

impl StoreSummary {
    /// Whether p95 stays within the budget; `None` when there is none.
    #[must_use]
    pub fn is_within_budget(&self) -> Option<bool> {
        let budget = self.budget_ms?;
        Some(self.rto_ms.is_some_and(|spread| spread.p95 <= budget))
    }
}

/// One component and one fault, all runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DrillReport {
    /// What was drilled.
    pub component: String,
    /// What was done.
    pub fault: Fault,
    /// The runs, in order.
    pub runs: Vec<RunReport>,
    /// Of the runs' `rto_ms`.
    pub rto_ms: Option<Spread>,
    /// Of the runs' `rejoined_ms`.
    pub rejoined_ms: Option<Spread>,
    /// Each store's, against its budget.
    pub stores: Vec<StoreSummary>,
    /// Why it did not pass; empty when it did.
    pub failures: Vec<String>,
}

/// A whole call of `nova drill`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CampaignReport {
    /// [`SCHEMA`].
    pub schema: String,
    /// The platform's name.
    pub platform: String,
    /// `local` or `kubernetes`.
    pub target: String,
    /// What the choices followed from.
    pub seed: u64,
    /// `passed`, `failed`, or `interrupted`.
    pub result: String,
    /// Where the ledger is.
    pub ledger: String,
    /// Whether the ledger's last line was cut.
    pub torn: bool,
    /// What the numbers hold for; `null` in what an older ledger tells.
    pub circumstances: Option<Circumstances>,
    /// A component and a fault each.
    pub drills: Vec<DrillReport>,
}
