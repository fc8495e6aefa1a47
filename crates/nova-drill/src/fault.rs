//! What can be done to a platform, under the same names on every target.

use std::fmt;
use std::str::FromStr;

use nova_platform::target::{Direction, Harm};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aim::Aim;

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// SIGKILL of everything that a member runs.
    Kill,
    /// SIGKILL of the server alone; what manages it (Patroni) goes on. The same as [`Fault::Kill`] where nothing does.
    Crash,
    /// Frozen for a while, then continued: it comes back and believes what it last knew.
    Stop,
    /// Every member of one node at once, gone for a while, and its return.
    Node,
    /// Every member of one node asked to leave it, as before its maintenance, and its return.
    Drain,
    /// A planned change of leader.
    Switchover,
    /// Every member restarted in turn.
    Rolling,
    /// Every member killed at once, and started again.
    Cold,
    /// A node cut off from the others, both ways.
    Partition,
    /// A node that hears nothing from the others, while they hear it.
    PartitionIn,
    /// A node that the others do not hear, while it hears them.
    PartitionOut,
    /// A store's volume full, then freed.
    DiskFull,
    /// Whatever somebody else does meanwhile.
    Watch,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Kill,
        Self::Crash,
        Self::Stop,
        Self::Node,
        Self::Drain,
        Self::Switchover,
        Self::Rolling,
        Self::Cold,
        Self::Partition,
        Self::PartitionIn,
        Self::PartitionOut,
        Self::DiskFull,
        Self::Watch,
    ];

    /// As it is typed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Crash => "crash",
            Self::Stop => "stop",
            Self::Node => "node",
            Self::Drain => "drain",
            Self::Switchover => "switchover",
            Self::Rolling => "rolling",
            Self::Cold => "cold",
            Self::Partition => "partition",
            Self::PartitionIn => "partition-in",
            Self::PartitionOut => "partition-out",
            Self::DiskFull => "disk-full",
            Self::Watch => "watch",
        }
    }

    /// Which packets of a node a partition drops; `None` for any other fault.
    #[must_use]
    pub fn cuts(self) -> Option<Direction> {
        match self {
            Self::Partition => Some(Direction::Both),
            Self::PartitionIn => Some(Direction::In),
            Self::PartitionOut => Some(Direction::Out),
            Self::Kill
            | Self::Crash
            | Self::Stop
            | Self::Node
            | Self::Drain
            | Self::Switchover
            | Self::Rolling
            | Self::Cold
            | Self::DiskFull
            | Self::Watch => None,
        }
    }

    /// What it does to members first; `None` for what is asked of a store, and what every target can do.
    #[must_use]
    pub fn harm(self) -> Option<Harm> {
        match self {
            Self::Crash => Some(Harm::Crash),
            Self::Stop => Some(Harm::Freeze),
            Self::Node => Some(Harm::TakeDown),
            Self::Drain => Some(Harm::Drain),
            Self::DiskFull => Some(Harm::Fill),
            _ => self.cuts().map(Harm::Cut),
        }
    }

    /// Whether it hits every member of a node.
    #[must_use]
    pub fn hits_a_node(self) -> bool {
        matches!(self, Self::Node | Self::Drain) || self.cuts().is_some()
    }

    /// Why this fault cannot be injected here; `None` when it can.
    #[must_use]
    pub fn missing_here(self, aim: &Aim) -> Option<CannotInject> {
        let of = |why: fn(Aim) -> CannotInject| why(aim.clone());
        let facts = aim.facts();
        match self {
            Self::Partition | Self::PartitionIn | Self::PartitionOut => facts
                .is_some_and(|facts| !facts.cut_off)
                .then_some(CannotInject::NoNode(self)),
            Self::DiskFull => (!facts.is_some_and(|facts| facts.disk_full)).then(|| of(CannotInject::KeepsNoData)),
            Self::Watch => Some(CannotInject::Watched),
            Self::Switchover => facts
                .is_none_or(|facts| facts.switchover.is_none())
                .then(|| of(CannotInject::NoLeader)),
            Self::Node | Self::Drain => (*aim != Aim::Node).then(|| CannotInject::WholeNode(self, aim.clone())),
            Self::Kill | Self::Stop | Self::Crash | Self::Rolling => {
                (*aim == Aim::Node).then_some(CannotInject::OfComponent(self))
            }
            Self::Cold => (*aim == Aim::Node).then_some(CannotInject::ColdNode),
        }
    }
}

/// Why a fault cannot be injected in a component.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotInject {
    /// It is on no node.
    #[error(
        "fault {0} cuts a node off from the others, and the gateway is on none: write `nova drill node --fault {0}`"
    )]
    NoNode(Fault),
    /// It has no volume that could be full.
    #[error("fault disk-full is one of a store, and {0} keeps no data; etcd, postgres, redis and kafka do")]
    KeepsNoData(Aim),
    /// Others inject it.
    #[error("what others break is watched with `nova drill watch`")]
    Watched,
    /// Nobody leads.
    #[error(
        "fault switchover is not available for {0}: it has no leader that could be asked to step down; postgres, redis and kafka have"
    )]
    NoLeader(Aim),
    /// It is one of a node.
    #[error("fault {0} is one of everything on a node and not only of {1}: write `nova drill node --fault {0}`")]
    WholeNode(Fault, Aim),
    /// It is not one of a node.
    #[error("fault {0} is one of a component; a node can be lost (`nova drill node`)")]
    OfComponent(Fault),
    /// A node has another one for it.
    #[error("a node is lost and returns with `nova drill node`; --fault cold is one of a component")]
    ColdNode,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        let known = Self::ALL.into_iter().find(|fault| fault.name() == text);
        known.ok_or_else(|| UnknownFault(text.to_owned()))
    }
}

/// No fault is called that.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown fault {0:?}: {near}there are {names}", near = near(.0), names = Fault::ALL.map(Fault::name).join(", "))]
pub struct UnknownFault(pub String);

fn near(typed: &str) -> String {
    let near = nova_platform::suggestion::closest(typed, Fault::ALL.map(Fault::name));
    near.map_or_else(String::new, |near| format!("did you mean {near:?}? "))
}

#[cfg(test)]
mod tests {
    use super::Fault;

    #[test]
    fn names_are_read_back_and_others_are_told() {
        for fault in Fault::ALL {
            assert_eq!(fault.name().parse(), Ok(fault));
        }
        let error = "kil".parse::<Fault>().err().map(|error| error.to_string());
        let error = error.unwrap_or_default();
        assert!(
            error.contains("did you mean \"kill\"?") && error.contains("disk-full"),
            "{error}"
        );
    }

    #[test]
    fn what_cannot_be_done_here_says_why() {
        assert_eq!(Fault::Kill.missing_here(&"postgres".into()), None);
        assert_eq!(Fault::Node.missing_here(&"node".into()), None);
        assert_eq!(Fault::Drain.missing_here(&"node".into()), None);
        assert_eq!(Fault::Partition.missing_here(&"node".into()), None);
        assert_eq!(Fault::PartitionOut.missing_here(&"postgres".into()), None);
        assert_eq!(Fault::DiskFull.missing_here(&"kafka".into()), None);
        for (fault, component) in [
            (Fault::PartitionIn, "gateway"),
            (Fault::DiskFull, "gateway"),
            (Fault::Switchover, "gateway"),
            (Fault::Node, "redis"),
            (Fault::Drain, "redis"),
            (Fault::Kill, "node"),
        ] {
            assert!(fault.missing_here(&component.into()).is_some(), "{fault} {component}");
        }
    }
}
