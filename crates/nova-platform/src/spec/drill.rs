//! What `nova drill` may find: how long clients may go without an acknowledgement, p95 over the runs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::Duration;

/// What drills may find.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DrillSpec {
    /// Recovery times that a drill must not exceed.
    pub budget: BudgetSpec,
}

/// Recovery times by store. What a fault has no entry for is measured, and judged by nothing but lost writes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BudgetSpec {
    /// Writes to PostgreSQL through the gateway.
    pub postgres: BudgetTimes,
    /// Writes to Redis through Sentinel.
    pub redis: BudgetTimes,
    /// Records to Kafka.
    pub kafka: BudgetTimes,
    /// Requests to a service through the gateway.
    pub service: BudgetTimes,
}

/// Recovery times by fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BudgetTimes {
    /// After SIGKILL of a member or of its server.
    #[schemars(extend("x-nova-change" = "live"))]
    pub kill: Duration,
    /// After the loss of a node, when it is known that everything on it ended.
    #[schemars(extend("x-nova-change" = "live"))]
    pub node: Duration,
    /// While everything on a node was asked to leave it.
    #[schemars(extend("x-nova-change" = "live"))]
    pub drain: Duration,
    /// After a node was cut off: whether it still works, the others cannot know.
    #[schemars(extend("x-nova-change" = "live"))]
    pub partition: Duration,
    /// A planned change of leader.
    #[schemars(extend("x-nova-change" = "live"))]
    pub switchover: Duration,
}
