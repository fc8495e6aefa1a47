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
mod port;
mod postgres;
mod program;
mod redis;
mod service;
mod stage;

pub use crate::component_id::{ComponentId, Kind, names};
pub use area::Area;
pub use drill::{BudgetKey, DrillDoor, DrillFacts, Switchover};
pub use facts::{Caller, ClusterDoor, Facts, Group, InCluster, Served, Shell, Sizes, Stop};
pub use gateway::HEALTH_PORT;
pub use port::Port;
pub use program::{Holds, Image, Packaged, Program};
pub use service::{ISSUER, OPERATIONS_OFFSET, PUBLISHER, USERS};
pub use stage::Stage;

use crate::spec::Spec;

/// What there is to say about a component.
#[must_use]
pub fn facts(id: &ComponentId) -> &'static Facts {
    match id {
        ComponentId::Etcd => &etcd::FACTS,
        ComponentId::Postgres => &postgres::FACTS,
        ComponentId::Redis => &redis::FACTS,
        ComponentId::Kafka => &kafka::FACTS,
        ComponentId::Gateway => &gateway::FACTS,
        ComponentId::Service(name) => service::facts(name),
        ComponentId::Agent => &cluster::AGENT,
        ComponentId::Foundation => &cluster::FOUNDATION,
    }
}

/// What there is to say about the component that members of this kind belong to.
#[must_use]
pub fn facts_of_kind(kind: Kind) -> &'static Facts {
    match kind {
        Kind::Etcd => &etcd::FACTS,
        Kind::Postgres => &postgres::FACTS,
        Kind::Redis | Kind::Sentinel => &redis::FACTS,
        Kind::Kafka => &kafka::FACTS,
        Kind::Gateway => &gateway::FACTS,
        Kind::Service => &service::FACTS,
    }
}

/// Everything that a component's members listen on, in a stable order.
#[must_use]
pub fn ports(spec: &Spec, id: &ComponentId) -> Vec<Port> {
    (facts(id).ports)(spec, id)
}

/// What members of one kind of a component listen on.
#[must_use]
pub fn ports_of_kind(spec: &Spec, id: &ComponentId, kind: Kind) -> Vec<Port> {
    let mut all = ports(spec, id);
    all.retain(|port| port.kind == kind);
    all
}

#[cfg(test)]
mod tests;
