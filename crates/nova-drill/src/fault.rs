//! What can be done to a platform, under the same names on every target.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
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
    /// A planned change of leader.
    Switchover,
    /// Every member restarted in turn.
    Rolling,
    /// Every member killed at once, and started again.
    Cold,
    /// A node cut off from the others.
    Partition,
    /// A store's volume full, then freed.
    DiskFull,
    /// Whatever somebody else does meanwhile.
    Watch,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Kill,
        Self::Crash,
        Self::Stop,
        Self::Node,
        Self::Switchover,
        Self::Rolling,
        Self::Cold,
        Self::Partition,
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
            Self::Switchover => "switchover",
            Self::Rolling => "rolling",
            Self::Cold => "cold",
            Self::Partition => "partition",
            Self::DiskFull => "disk-full",
            Self::Watch => "watch",
        }
    }

    /// Why this fault cannot be injected here; `None` when it can.
    #[must_use]
    pub fn missing_here(self, component: &str) -> Option<String> {
        match (self, component) {
            (Self::Partition, _) => Some(
                "fault partition is not available on the local target: on one loopback interface an address does not tell \
                 which node sent a packet; `--fault stop` freezes a member instead"
                    .to_owned(),
            ),
            (Self::DiskFull, _) => Some(
                "fault disk-full is not available on the local target: its members share one file system with everything \
                 else on this machine"
                    .to_owned(),
            ),
            (Self::Watch, _) => Some("what others break is watched with `nova drill watch`".to_owned()),
            (Self::Switchover, "postgres" | "redis") => None,
            (Self::Switchover, "kafka") => Some(
                "fault switchover is not available for kafka: its clients' library cannot ask for an election; `--fault \
                 rolling` moves every leadership by a planned restart"
                    .to_owned(),
            ),
            (Self::Switchover, other) => Some(format!(
                "fault switchover is not available for {other}: it has no leader that could be asked to step down; postgres \
                 and redis have"
            )),
            (Self::Node, "node") => None,
            (Self::Node, other) => Some(format!(
                "fault node loses everything on a node and not only {other}: write `nova drill node`"
            )),
            (Self::Kill | Self::Stop | Self::Crash | Self::Rolling, "node") => Some(format!(
                "fault {self} is one of a component; a node can be lost (`nova drill node`)"
            )),
            (Self::Cold, "node") => {
                Some("a node is lost and returns with `nova drill node`; --fault cold is one of a component".to_owned())
            }
            _ => None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|fault| fault.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            let near = nova_platform::suggestion::closest(text, Self::ALL.map(Self::name));
            let near = near.map_or_else(String::new, |near| format!("did you mean {near:?}? "));
            format!("unknown fault {text:?}: {near}there are {names}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Fault;

    #[test]
    fn names_are_read_back_and_others_are_told() {
        for fault in Fault::ALL {
            assert_eq!(fault.name().parse(), Ok(fault));
        }
        let error = "kil".parse::<Fault>().err().unwrap_or_default();
        assert!(
            error.contains("did you mean \"kill\"?") && error.contains("disk-full"),
            "{error}"
        );
    }

    #[test]
    fn what_cannot_be_done_here_says_why() {
        assert_eq!(Fault::Kill.missing_here("postgres"), None);
        assert_eq!(Fault::Node.missing_here("node"), None);
        for (fault, component) in [
            (Fault::Partition, "redis"),
            (Fault::DiskFull, "postgres"),
            (Fault::Switchover, "kafka"),
            (Fault::Switchover, "gateway"),
            (Fault::Node, "redis"),
            (Fault::Kill, "node"),
        ] {
            assert!(fault.missing_here(component).is_some(), "{fault} {component}");
        }
    }
}
