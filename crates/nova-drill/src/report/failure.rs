//! Why a drill did not pass: for programs by its kind, for people as a sentence.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aim::Aim;
use crate::fault::Fault;
use crate::store::Store;

/// One reason why a drill did not pass.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Failure {
    /// What is wrong, with its figures.
    #[serde(flatten)]
    pub kind: FailureKind,
    /// What was drilled.
    #[schemars(with = "String")]
    pub component: Aim,
    /// Whose clients noticed it; `null` when it is not about one store.
    pub store: Option<Store>,
    /// In which run; `null` when it is about all of them.
    pub run: Option<u32>,
    /// The same as a sentence, for people.
    pub message: String,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FailureKind {
    /// A client got no acknowledgement any more.
    #[error("a writer was not acknowledged again")]
    NotAcknowledgedAgain,
    /// Something that was acknowledged is not there.
    #[error("{count} acknowledged writes are missing ({})", Ids(.ids))]
    Lost {
        /// How many.
        count: u64,
        /// The first of the ids that something is wrong with in this store.
        ids: Vec<u64>,
    },
    /// Something is there more than once.
    #[error("{count} writes are present more than once ({})", Ids(.ids))]
    Duplicated {
        /// How many.
        count: u64,
        /// The first of the ids that something is wrong with in this store.
        ids: Vec<u64>,
    },
    /// Something is there that was said to have failed.
    #[error("{count} writes are present that were said to have failed ({})", Ids(.ids))]
    Risen {
        /// How many.
        count: u64,
        /// The first of the ids that something is wrong with in this store.
        ids: Vec<u64>,
    },
    /// Something is not where its writer put it.
    #[error("{count} writes stand behind a later one of the same writer ({})", Ids(.ids))]
    Reordered {
        /// How many.
        count: u64,
        /// The first of the ids that something is wrong with in this store.
        ids: Vec<u64>,
    },
    /// Users saw requests fail, where others of the same service were there to answer them.
    #[error("{failed} failed, its budget for {fault} is none")]
    RequestsFailed {
        /// How many.
        failed: u64,
        /// What was done.
        fault: Fault,
    },
    /// Nothing is wrong but that it took longer than nova.toml allows.
    #[error("p95 of the recovery is {p95_ms} ms, its budget for {fault} is {budget_ms} ms")]
    OverBudget {
        /// 95 of 100 runs took no longer.
        p95_ms: u64,
        /// What nova.toml allows.
        budget_ms: u64,
        /// What was done.
        fault: Fault,
    },
    /// A member did not run again, or a check did not pass again, in time.
    #[error("did not become whole again: {reason}")]
    NotWhole {
        /// What was amiss at the end.
        reason: String,
    },
}

impl Failure {
    /// Of one store in one run.
    pub(super) fn of_run(component: &Aim, run: u32, store: Store, kind: FailureKind) -> Self {
        let message = format!("run {run}: {store}: {kind}");
        Self::with(component, Some(run), Some(store), kind, message)
    }

    /// Of one store over all runs.
    pub(super) fn of_store(component: &Aim, store: Store, kind: FailureKind) -> Self {
        let message = format!("{store}: {kind}");
        Self::with(component, None, Some(store), kind, message)
    }

    /// Of a platform that was not whole again after a run.
    pub(super) fn not_whole(component: &Aim, run: u32, reason: &str) -> Self {
        let kind = FailureKind::NotWhole {
            reason: reason.to_owned(),
        };
        let message = format!("run {run} {kind}");
        Self::with(component, Some(run), None, kind, message)
    }

    fn with(component: &Aim, run: Option<u32>, store: Option<Store>, kind: FailureKind, message: String) -> Self {
        Self {
            kind,
            component: component.clone(),
            store,
            run,
            message,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

struct Ids<'a>(&'a [u64]);

impl fmt::Display for Ids<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<String> = self.0.iter().map(u64::to_string).collect();
        write!(f, "ids {}", ids.join(", "))
    }
}
