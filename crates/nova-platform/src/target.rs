//! What the rollout knows of the place where a platform runs.

use std::future::Future;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::components::ComponentId;
use crate::endpoints::Endpoints;
use crate::topology::Component;

/// What a member is doing, as its target sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// Its process runs.
    Running,
    /// It ended and waits for its next start.
    Backoff,
    /// It was never started, or was stopped on purpose.
    Stopped,
    /// It cannot start, and no further start is tried until the next deploy.
    Failed,
    /// Nothing could be learned about it.
    Unreachable,
}

/// A member as its target sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberStatus {
    /// The member's name.
    pub name: String,
    /// The component that it belongs to.
    pub component: ComponentId,
    /// The node that it is lost with.
    pub node: String,
    /// What it is doing.
    pub state: RunState,
    /// Process id, on the local target.
    pub pid: Option<u32>,
    /// Unix time in milliseconds at which the running process started.
    pub started_at_ms: Option<u64>,
    /// Starts after the first one since it was last deployed.
    pub restarts: u32,
    /// How it last ended, in words: "exit status 1", "signal 9 (SIGKILL)".
    pub last_exit: Option<String>,
    /// Resident memory in bytes, shared pages counted in proportion.
    pub memory_bytes: Option<u64>,
}

/// What a deploy would do to one member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It does not exist yet.
    Create,
    /// It exists, and its program, arguments or files differ.
    Change,
    /// It exists and is no longer wanted.
    Delete,
    /// It exists as wanted but does not run.
    Start,
    /// Nothing.
    Keep,
}

/// What a deploy would do, a member each, in the order of the components.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Plan {
    /// Member name, component name, action.
    pub steps: Vec<PlanStep>,
}

/// What a deploy would do to one member, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanStep {
    /// The member's name.
    pub member: String,
    /// Its component.
    pub component: ComponentId,
    /// What would be done.
    pub action: Action,
    /// What differs, for [`Action::Change`], such as "arguments" or "redis.conf".
    pub reason: Option<String>,
}

impl Plan {
    /// How many members have this action.
    #[must_use]
    pub fn count(&self, action: Action) -> usize {
        self.steps.iter().filter(|step| step.action == action).count()
    }

    /// Whether a deploy would do nothing.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        self.steps.iter().all(|step| step.action == Action::Keep)
    }
}

/// Which log lines to show.
#[derive(Debug, Clone, Default)]
pub struct LogQuery {
    /// Last lines to keep; all when `None`.
    pub tail: Option<usize>,
    /// The start before the current one instead.
    pub previous: bool,
}

/// What a removal left behind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// Members ended.
    pub members: usize,
    /// What is still there, and why; empty when nothing is.
    pub left: Vec<String>,
    /// Where data stays, when it was not to be removed, or could not be.
    pub data: Option<String>,
}

/// Which packets between a node and the others are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Those of either way.
    Both,
    /// Those that the others send to it.
    In,
    /// Those that it sends to the others.
    Out,
}

/// What a drill does to members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// SIGKILL of everything that they run; they are started again as after any crash.
    Kill,
    /// SIGKILL of the servers alone, where something else of the member manages them; otherwise as [`Harm::Kill`].
    Crash,
    /// Frozen: alive, and neither running nor answering.
    Freeze,
    /// Continued after [`Harm::Freeze`].
    Thaw,
    /// Gone at once, without being asked to end, and not started again.
    TakeDown,
    /// Asked to leave the node that they are on, as before its maintenance: what they lead they hand over, each ends in good order, and
    /// none is started there again. Returns when all have left.
    Drain,
    /// Started again after [`Harm::TakeDown`] or [`Harm::Drain`].
    BringUp,
    /// Ended in good order and started again.
    Restart,
    /// The node that they are on cut off from the other nodes: packets are dropped, nobody is told. Clients outside the nodes
    /// and the gateway still reach both sides. Repeated, it takes in what members started since.
    Cut(Direction),
    /// Connected again after [`Harm::Cut`].
    Rejoin,
    /// No room left on the file system that holds their data. Repeated, it takes what became free since.
    Fill,
    /// Room again after [`Harm::Fill`].
    Empty,
}

/// A place where a platform runs.
pub trait Target: Sync {
    /// Why the target could not do what was asked.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Where members are met.
    fn endpoints(&self) -> Endpoints;

    /// What [`Target::apply`] would do to each member. Changes nothing.
    fn plan(&self) -> impl Future<Output = Result<Plan, Self::Error>> + Send;

    /// Brings one component's members to what the description wants: creates, changes, starts. Returns once they are
    /// started, not once they work; what already is as wanted is left alone. Safe to repeat.
    fn apply(&self, component: &ComponentId) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// The same for one member of a component, for changing a component that serves.
    fn apply_member(&self, member: &str) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Ends and forgets members that the description no longer has.
    fn prune(&self) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Every member as the target sees it.
    fn inspect(&self) -> impl Future<Output = Result<Vec<MemberStatus>, Self::Error>> + Send;

    /// Log lines of a member, oldest first.
    fn logs(&self, member: &str, query: &LogQuery) -> impl Future<Output = Result<Vec<String>, Self::Error>> + Send;

    /// The description's components with the members that are there, where the target gives some of them their names.
    fn components_seen(&self, described: Vec<Component>, _members: &[MemberStatus]) -> Vec<Component> {
        described
    }

    /// What the target itself reported of a component lately, in its own words and newest last; nothing where it keeps no
    /// such record.
    fn events(&self, _component: &ComponentId) -> impl Future<Output = Vec<String>> + Send {
        std::future::ready(Vec::new())
    }

    /// Whether [`Target::apply`] changes the members of a component that serves one after another by itself.
    fn rolls_itself(&self) -> bool {
        false
    }

    /// Why a harm cannot be done to these members here, and what would help; `None` when it can.
    fn refuses(&self, _harm: Harm, _members: &[String]) -> impl Future<Output = Option<String>> + Send {
        std::future::ready(None)
    }

    /// Whether new members may be applied before what they need works: where placing them and starting their containers takes
    /// longer than they then wait for the others.
    fn members_wait(&self) -> bool {
        false
    }

    /// Harms all of these members at once, or undoes that. Returns when it is done, not when the platform has recovered.
    fn harm(&self, members: &[String], harm: Harm) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Undoes whatever harm is left, also that of a drill which was killed: connects nodes, continues what is frozen, starts
    /// what was taken down. Returns the members that needed it.
    fn heal(&self) -> impl Future<Output = Result<Vec<String>, Self::Error>> + Send;

    /// Removes everything that was deployed, dependents first; data too when `data`. Looks afterwards and reports what is left.
    fn remove(&self, data: bool) -> impl Future<Output = Result<Removal, Self::Error>> + Send;
}
