//! What a drill writes down: each operation with its outcome, each fault, and what was found of each run. The records only; who
//! keeps, judges and sums them up depends on them, and they on none of those.

mod run;

use serde::{Deserialize, Serialize};

use crate::aim::Aim;
use crate::circumstances::Circumstances;
use crate::fault::Fault;
use crate::store::Store;

pub use run::{Phases, RunReport, StoreReport};

/// Name and version of the file's first line.
pub const LEDGER_SCHEMA: &str = "nova.ledger/v1";

/// What a fault may cost one store: p95 of the recovery time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Which store.
    pub store: Store,
    /// Milliseconds.
    pub ms: u64,
}

/// How an operation ended, as its client knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The store said that it is done: it must be there.
    Acknowledged,
    /// The store said that it is not done, or never heard of it: it must not be there.
    Failed,
    /// No answer: either is right.
    Unknown,
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The run that it belongs to, from 1.
    pub run: u32,
    /// Which store was written to.
    pub store: Store,
    /// Unique within the run and the store; grows with time within one writer.
    pub id: u64,
    /// Which client wrote it, from 0.
    pub writer: u16,
    /// Unix time in milliseconds, by the client's clock, at which it was sent.
    pub begun: u64,
    /// And at which its outcome was known.
    pub ended: u64,
    /// How it ended.
    pub outcome: Outcome,
}

/// What a run was, written when its fault begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begin {
    /// Which run, from 1, over all components of the drill.
    pub run: u32,
    /// What was drilled.
    pub component: Aim,
    /// What was done to it.
    pub fault: Fault,
    /// To whom.
    pub members: Vec<String>,
    /// Unix time in milliseconds.
    pub at: u64,
    /// What it may cost.
    #[serde(default)]
    pub budgets: Vec<Budget>,
}

/// Whose ledger it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`LEDGER_SCHEMA`].
    pub(crate) schema: String,
    /// The platform's name.
    pub platform: String,
    /// `local` or `kubernetes`.
    #[serde(default = "local")]
    pub target: String,
    /// What the choices follow from.
    pub seed: u64,
    /// What its numbers hold for, where that is known.
    #[serde(default)]
    pub circumstances: Option<Circumstances>,
}

impl Header {
    /// Of a drill that begins.
    #[must_use]
    pub fn new(platform: &str, target: &str, seed: u64, circumstances: Option<Circumstances>) -> Self {
        Self {
            schema: LEDGER_SCHEMA.to_owned(),
            platform: platform.to_owned(),
            target: target.to_owned(),
            seed,
            circumstances,
        }
    }
}

/// Where every drill ran whose ledger does not tell.
fn local() -> String {
    "local".to_owned()
}

/// One line of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Line {
    /// The first one.
    Header(Box<Header>),
    /// A fault begins.
    Begin {
        /// What it is.
        begin: Begin,
    },
    /// A run was judged against what the store holds.
    Judged {
        /// What was found.
        judged: Box<RunReport>,
    },
    /// An operation.
    Entry(Entry),
}
