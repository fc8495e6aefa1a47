//! The table: what there is to say about any component.

use std::time::Duration;

use super::{Area, ComponentId, DrillFacts, Image, Kind, Port, Program, Stage};
use crate::endpoints::{Endpoints, MemberEndpoint};
use crate::spec::Spec;

/// Everything about a component that is data.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// Components that must have passed their checks before this one starts; a service's stand in the description.
    pub needs: &'static [ComponentId],
    /// Its members, a group a kind.
    pub groups: fn(&Spec, &ComponentId) -> Vec<Group>,
    /// What they listen on; the first of a kind is where its clients meet it.
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
    /// What a service that uses it connects to; nothing: no service can use it. Another service is met at its own door at the gateway.
    pub served: &'static [Served],
    /// The namespace that it runs in.
    pub area: Area,
    /// What a machine must have for its members to run.
    pub programs: &'static [Program],
    /// What they run from in a cluster; a service has an image of its own name.
    pub image: Option<Image>,
    /// The file of `nova render` that its objects stand in.
    pub rendered: &'static str,
    /// When it goes as a platform is removed.
    pub removal: Stage,
    /// How long its members may take to end.
    pub stop: Stop,
    /// Where people and programs meet it: what for, and the address without secrets.
    pub met: fn(&Endpoints, &ComponentId) -> Vec<(&'static str, String)>,
    /// Services of a cluster that lead to its members, besides those of the members themselves.
    pub cluster_doors: &'static [ClusterDoor],
    /// What a member asks for and may use in a cluster, by kind.
    pub sizes: &'static [Sizes],
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// The component whose members these are: itself, or what leads to it.
    pub of: ComponentId,
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

/// A Service of a cluster that leads to all members of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClusterDoor {
    /// Which members.
    pub to: Kind,
    /// What it is called.
    pub name: &'static str,
    /// Which of their ports, by [`Port::name`].
    pub ports: &'static [&'static str],
}

/// What a member asks for and may use in a cluster: thousandths of a core, and mebibytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Of this kind.
    pub kind: Kind,
    /// What the scheduler keeps free for it.
    pub requests: [u32; 2],
    /// Where it is slowed down or ended.
    pub limits: [u32; 2],
}

/// Addresses of members on one line.
pub(super) fn join(members: &[MemberEndpoint]) -> String {
    let all: Vec<String> = members.iter().map(|member| member.address.to_string()).collect();
    all.join(",")
}
