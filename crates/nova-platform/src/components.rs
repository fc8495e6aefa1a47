//! Everything about a component that is data: one file a component, one table of facts. What acts on components reads them here, so
//! that a new one is described in one place; what no data can say (its checks, its members' configuration) is a match that does not
//! compile without it. See `docs/adding.md`.

#![warn(clippy::wildcard_enum_match_arm)]

mod area;
mod cluster;
mod drill;
mod etcd;
mod facts;
mod gateway;
mod kafka;
mod kind;
mod port;
mod postgres;
mod redis;
mod service;
mod stage;

pub use crate::component_id::{ComponentId, names};
pub use area::Area;
pub use drill::{BudgetKey, DrillDoor, DrillFacts};
pub use facts::{Caller, Facts, Group, InCluster, Served, Shell, Stop, facts, facts_of_kind};
pub use gateway::HEALTH_PORT;
pub use kind::Kind;
pub use port::{Port, ports, ports_of_kind};
pub use service::{ISSUER, OPERATIONS_OFFSET, USERS};
pub use stage::Stage;

#[cfg(test)]
mod tests;
