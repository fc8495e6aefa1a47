//! Why a drill did not come to an end.

use std::error::Error;
use std::time::Duration;

use nova_platform::explained::explained;
use tokio::task::JoinError;

use crate::aim::Aim;
use crate::clients::ClientsError;
use crate::fault::{CannotInject, Fault, UnknownFault};
use crate::ledger::LedgerError;

/// Why a drill did not come to an end; what it broke was healed as far as that went.
#[derive(Debug, thiserror::Error)]
pub enum DrillError {
    /// What was asked for does not exist, or cannot be done here.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// A drill measures one fault; a platform that has others already is left alone.
    #[error(
        "the platform is not healthy, so nothing was broken: {0}; `nova status` shows it, `nova status --wait` waits"
    )]
    Unhealthy(Unhealthy),
    /// The target could not look at the platform, or harm or heal it.
    #[error(transparent)]
    Target(Box<dyn Error + Send + Sync>),
    /// The clients could not do what they were asked for.
    #[error(transparent)]
    Clients(#[from] ClientsError),
    /// The ledger cannot be kept.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Nobody waits for the ledger any more.
    #[error("waiting for the ledger: {0}")]
    Flush(JoinError),
    /// Nothing of it is there.
    #[error("{component} has no member to hit")]
    NoMember {
        /// Of what.
        component: Aim,
    },
    /// This fault is not one that is injected.
    #[error("fault {0} cannot be injected here")]
    NotInjected(Fault),
    /// A run ended without a verdict.
    #[error("the kill was not judged")]
    Unjudged,
    /// Between two members of a rolling restart, the platform did not find together.
    #[error(transparent)]
    NotWhole(NotWhole),
    /// A run's platform did not become whole again.
    #[error("run {run} did not become whole again: {why}")]
    NotRecovered {
        /// Which run.
        run: u32,
        /// What was amiss.
        why: NotWhole,
    },
    /// After a run, somebody's writes were not acknowledged any more.
    #[error("run {run}: {}", explained(.why))]
    NotServed {
        /// Which run.
        run: u32,
        /// Whose.
        why: ClientsError,
    },
    /// What was broken could not be healed.
    #[error("what was broken could not be healed: {}; `nova deploy` does it", explained(.0.as_ref()))]
    NotHealed(Box<dyn Error + Send + Sync>),
    /// It was healed, and did not find together.
    #[error("what was broken did not heal: {0}; `nova deploy` may")]
    NotWholeAfterHealing(NotWhole),
    /// Somebody asked it to end.
    #[error("interrupted; what was broken is healed")]
    Interrupted,
}

/// What was typed names something that does not exist, or that cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// No fault is called that.
    #[error(transparent)]
    UnknownFault(#[from] UnknownFault),
    /// It is no fault of this component.
    #[error(transparent)]
    CannotInject(#[from] CannotInject),
    /// No component is called that.
    #[error("unknown component {typed:?}: {near}there are {}", .known.join(", "))]
    UnknownComponent {
        /// What was typed.
        typed: String,
        /// The closest one, as a question.
        near: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// The component has no such member.
    #[error("{component} has no member {typed:?}: it has {}", .known.join(", "))]
    UnknownMember {
        /// Of what.
        component: Aim,
        /// What was typed.
        typed: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// No store and no service is called that.
    #[error("nothing can be written to {typed:?}: there are {}", .known.join(", "))]
    UnknownStore {
        /// What was typed.
        typed: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// Several services were named.
    #[error("one service at a time can be asked")]
    SeveralServices,
    /// A member was named beside `all`.
    #[error("--member names one member: it cannot go with `all`")]
    MemberOfAll,
    /// A member was named for a fault that hits all of them.
    #[error("fault {0} is not one of a single member: leave --member out")]
    MemberOfWhole(Fault),
    /// The target says why it cannot do that here.
    #[error("{0}")]
    RefusedByTarget(String),
}

/// Why a platform counts as not healthy.
#[derive(Debug, thiserror::Error)]
pub enum Unhealthy {
    /// There is none.
    #[error("nothing of platform {0} is deployed")]
    NotDeployed(String),
    /// Something of it is amiss, a line a component.
    #[error("{}", .0.join(", "))]
    Complaints(Vec<String>),
    /// It was healed of what an earlier drill left, and did not find together.
    #[error(transparent)]
    NotWhole(NotWhole),
}

/// A platform was not whole again in time.
#[derive(Debug, thiserror::Error)]
#[error("after {} s still: {amiss}", .within.as_secs())]
pub struct NotWhole {
    /// How long was waited.
    pub within: Duration,
    /// What was amiss at the end.
    pub amiss: Amiss,
}

/// What keeps a platform from being whole.
#[derive(Debug, thiserror::Error)]
pub enum Amiss {
    /// It was never seen as a whole.
    #[error("nothing was seen of it")]
    Unknown,
    /// Whoever stepped down leads again, or nobody does.
    #[error("no other member leads instead of {0}")]
    NoOtherLeader(String),
    /// The process that was ended was not replaced.
    #[error("{0} was not started again")]
    NotStartedAgain(String),
    /// Members that do not run and checks that fail, a line a component.
    #[error("{}", .0.join(", "))]
    Complaints(Vec<String>),
    /// The target cannot say.
    #[error("{}", explained(.0.as_ref()))]
    Unseen(Box<dyn Error + Send + Sync>),
}
