//! What drills cost: each run, and p50, p95 and max over the runs. Serialises as `nova.drill/v1`.

mod build;
mod failure;
mod schema;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aim::Aim;
use crate::circumstances::Circumstances;
use crate::fault::Fault;
use crate::record::RunReport;
use crate::store::Store;

pub use failure::{Failure, FailureKind};
pub use schema::json_schema;

/// Name and version of the JSON shape.
pub const SCHEMA: &str = "nova.drill/v1";

/// Over the runs, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Spread {
    /// Half of the runs took no longer.
    pub p50: u64,
    /// 95 of 100 took no longer.
    pub p95: u64,
    /// The longest.
    pub max: u64,
}

/// One store's recovery over the runs, against its budget.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, JsonSchema, Serialize, Deserialize)]
pub struct PhaseSpreads {
    /// See [`crate::record::Phases::detection_ms`].
    pub detection_ms: Option<Spread>,
    /// See [`crate::record::Phases::election_ms`].
    pub election_ms: Option<Spread>,
    /// See [`crate::record::Phases::promotion_ms`].
    pub promotion_ms: Option<Spread>,
    /// See [`crate::record::Phases::rerouting_ms`].
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
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct DrillReport {
    /// What was drilled.
    #[schemars(with = "String")]
    pub component: Aim,
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
    pub failures: Vec<Failure>,
}

/// What a call of `nova drill` came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Everything was done, and nothing is wrong.
    Passed,
    /// A drill has failures, or not everything could be done.
    Failed,
    /// Somebody ended it.
    Interrupted,
}

impl Verdict {
    /// As it is shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }
}

/// Why a call of `nova drill` ended before everything was done.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Broken {
    /// What it is.
    pub kind: BrokenKind,
    /// For people.
    pub message: String,
}

/// See [`Broken`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BrokenKind {
    /// Something that the drill needs did not work.
    Failed,
    /// The platform or its clients did not recover in time; the drill's failures say more.
    NotRecovered,
    /// Somebody ended it.
    Interrupted,
}

/// A whole call of `nova drill`.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct CampaignReport {
    /// [`SCHEMA`].
    pub schema: String,
    /// The platform's name.
    pub platform: String,
    /// `local` or `kubernetes`.
    pub target: String,
    /// What the choices followed from.
    pub seed: u64,
    /// What it came to.
    pub result: Verdict,
    /// Why it ended before all that was planned was done; `null` when it did not.
    #[serde(default)]
    pub error: Option<Broken>,
    /// Where the ledger is.
    pub ledger: String,
    /// Whether the ledger's last line was cut.
    pub torn: bool,
    /// What the numbers hold for; `null` in what an older ledger tells.
    pub circumstances: Option<Circumstances>,
    /// A component and a fault each.
    pub drills: Vec<DrillReport>,
}
