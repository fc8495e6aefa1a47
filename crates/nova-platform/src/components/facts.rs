//! The table: what there is to say about any component.

use std::time::Duration;

use super::{
    Area, ComponentId, DrillFacts, Kind, Port, Stage, cluster, etcd, gateway, kafka, postgres, redis, service,
};
use crate::endpoints::Endpoints;
use crate::spec::Spec;

/// Everything about a component that is data.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// Components that must have passed their checks before this one starts; a service's stand in the description.
    pub needs: &'static [ComponentId],
    /// Its members, a group a kind.
    pub groups: fn(&Spec, &ComponentId) -> Vec<Group>,
    /// What they listen on.
    pub ports: fn(&Spec, &ComponentId) -> Vec<Port>,
    /// Whether each member says what it is; members of the others are all alike.
    pub roles: bool,
    /// The role of the member whose end makes the others elect; `None` where nobody leads.
    pub leads: Option<&'static str>,
    /// Whether a member keeps data that outlives it.
    pub keeps_data: bool,
    /// Programs that a member's main program manages and that may be lost without it.
    pub managed: &'static [&'static str],
    /// Secrets that its members are given; a service's are in [`crate::config::service::secrets_of`].
    pub secrets: &'static [&'static str],
    /// Those of them that a service that uses it is given too.
    pub given: &'static [&'static str],
    /// Which pods may connect to its members. Services come in addition: see [`Facts::served`].
    pub callers: &'static [Caller],
    /// What a service that uses it connects to.
    pub served: &'static [Served],
    /// The namespace that it runs in.
    pub area: Area,
    /// The file of `nova render` that its objects stand in.
    pub rendered: &'static str,
    /// When it goes as a platform is removed.
    pub removal: Stage,
    /// How long its members may take to end.
    pub stop: Stop,
    /// How a person gets a shell on it.
    pub shell: Option<Shell>,
    /// What drills know of it; `None` for what no drill hits.
    pub drill: Option<DrillFacts>,
}

/// Members of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What they run.
    pub kind: Kind,
    /// What stands before the number in their names.
    pub prefix: String,
    /// How many the description asks for.
    pub members: u16,
}

impl Group {
    pub(super) fn new(kind: Kind, prefix: &str, members: u16) -> Self {
        Self {
            kind,
            prefix: prefix.to_owned(),
            members,
        }
    }
}

/// Who may connect: pods of one workload to ports of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// The workload that connects, by its name.
    pub from: &'static str,
    /// What it connects to.
    pub to: Kind,
    /// Which of its ports, by [`Port::name`].
    pub ports: &'static [&'static str],
}

/// What a service that uses a component connects to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Served {
    /// Members of this kind.
    pub to: Kind,
    /// Which of their ports, by [`Port::name`].
    pub ports: &'static [&'static str],
}

/// How long members may take to end in good order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop {
    /// On one machine.
    pub here: Duration,
    /// In a cluster: seconds in which a pod is still sent what others have under way, before it is told to end.
    pub linger: u16,
    /// In a cluster: seconds from then until it is killed, `linger` included.
    pub grace: u16,
}

/// How a person gets a shell on a store.
#[derive(Debug, Clone, Copy)]
pub struct Shell {
    /// On one machine: a line for the user's own shell.
    pub here: fn(&Endpoints) -> String,
    /// In a cluster.
    pub in_cluster: InCluster,
}

/// How a shell is got in a cluster.
#[derive(Debug, Clone, Copy)]
pub enum InCluster {
    /// A program in a member's container.
    Exec(fn(&Spec) -> String),
    /// A program of the user's own, through a forward of this port.
    Forward {
        /// Which.
        port: fn(&Spec) -> u16,
        /// What is run then.
        then: fn(u16) -> String,
    },
}

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
