//! What drills know of a component: through which doors its clients notice, what can be done to it, which budget counts.

use crate::spec::{BudgetSpec, BudgetTimes};

/// Where a drill's clients write or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DrillDoor {
    /// Rows through the gateway's door to the primary.
    Postgres,
    /// List elements, on the master that the Sentinels name.
    Redis,
    /// Records with acks=all and idempotence.
    Kafka,
    /// Posts through the service that keeps them.
    Posts,
    /// Reading requests through the gateway.
    Requests,
}

/// Whose entry of `[drill.budget]` counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BudgetKey {
    /// `[drill.budget.postgres]`.
    Postgres,
    /// `[drill.budget.redis]`.
    Redis,
    /// `[drill.budget.kafka]`.
    Kafka,
    /// `[drill.budget.service]`.
    Service,
}

impl BudgetKey {
    /// Its times.
    #[must_use]
    pub const fn times(self, budget: &BudgetSpec) -> &BudgetTimes {
        match self {
            Self::Postgres => &budget.postgres,
            Self::Redis => &budget.redis,
            Self::Kafka => &budget.kafka,
            Self::Service => &budget.service,
        }
    }
}

/// How a leader is asked to step down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switchover {
    /// By Patroni's REST API.
    Patroni,
    /// By a Sentinel.
    Sentinel,
    /// By Kafka's own requests: the leaderships of partitions move.
    Partitions,
}

/// What drills know of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrillFacts {
    /// Doors whose clients notice that something happens to it; none: it is not drilled.
    pub doors: &'static [DrillDoor],
    /// Whose budget a recovery from its faults is held against; `None` where what a client feels is no failover of its own.
    pub budget: Option<BudgetKey>,
    /// Whether its members stand on nodes that can be cut off from each other.
    pub cut_off: bool,
    /// Whether the file system that holds its data can be full.
    pub disk_full: bool,
    /// How its leader is asked to step down; `None` where nobody leads, or nobody can be asked.
    pub switchover: Option<Switchover>,
}
