//! One check: what it proves, of which member, and what it found.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a check proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckKind {
    /// A store takes a write and gives it back.
    WriteRead,
    /// A replica gives back what its leader took.
    ReplicaRead,
    /// etcd reaches a quorum.
    Quorum,
    /// etcd's cluster has exactly the members that are described, each with a vote.
    Members,
    /// A member of etcd says that it is well.
    Member,
    /// Commits of PostgreSQL reach a standby before they count.
    SynchronousStandby,
    /// No service reads another's tables.
    Isolation,
    /// A Sentinel finds a quorum and the same master as the others.
    Ckquorum,
    /// A broker of Kafka answers for itself.
    Broker,
    /// Every partition has its replicas in sync.
    InSync,
    /// The topics of events are as they are declared.
    Topics,
    /// An event that is committed in PostgreSQL is published in Kafka.
    Event,
    /// The gateway leads writes to PostgreSQL's leader.
    PrimaryWrite,
    /// The gateway leads reads to PostgreSQL's replicas.
    ReplicasRead,
    /// The gateway answers for a service.
    Frontend,
    /// A service answers a request that comes through the gateway.
    Request,
    /// A service's member says that it is ready.
    Ready,
    /// A service's member reaches what it depends on.
    Dependencies,
    /// There is such a component at all.
    Known,
    /// What the component must hold before it can be checked was made.
    Prepare,
    /// What a component that runs must have before its members change was made.
    Stage,
    /// In a cluster, every pod is new and ready.
    Rollout,
    /// In a cluster, the agent answers.
    Agent,
}

impl CheckKind {
    /// The word that names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WriteRead => "write-read",
            Self::ReplicaRead => "replica-read",
            Self::Quorum => "quorum",
            Self::Members => "members",
            Self::Member => "member",
            Self::SynchronousStandby => "synchronous-standby",
            Self::Isolation => "isolation",
            Self::Ckquorum => "ckquorum",
            Self::Broker => "broker",
            Self::InSync => "in-sync",
            Self::Topics => "topics",
            Self::Event => "event",
            Self::PrimaryWrite => "primary-write",
            Self::ReplicasRead => "replicas-read",
            Self::Frontend => "frontend",
            Self::Request => "request",
            Self::Ready => "ready",
            Self::Dependencies => "dependencies",
            Self::Known => "known",
            Self::Prepare => "prepare",
            Self::Stage => "stage",
            Self::Rollout => "rollout",
            Self::Agent => "agent",
        }
    }

    /// Whether the component does not serve at all when this fails: its own write and read, quorum, the gateway's way to the
    /// leader, a real request. Any other failing check only degrades it.
    #[must_use]
    pub const fn is_essential(self) -> bool {
        match self {
            Self::WriteRead | Self::Quorum | Self::PrimaryWrite | Self::Request | Self::Event => true,
            Self::ReplicaRead
            | Self::Members
            | Self::Member
            | Self::SynchronousStandby
            | Self::Isolation
            | Self::Ckquorum
            | Self::Broker
            | Self::InSync
            | Self::Topics
            | Self::ReplicasRead
            | Self::Frontend
            | Self::Ready
            | Self::Dependencies
            | Self::Known
            | Self::Prepare
            | Self::Stage
            | Self::Rollout
            | Self::Agent => false,
        }
    }

    /// This check of one member.
    #[must_use]
    pub fn of_member(self, member: &str) -> Check {
        Check {
            member: Some(member.to_owned()),
            ..self.into()
        }
    }

    /// This check of something else that has a name, such as the gateway's door to a service.
    #[must_use]
    pub fn about(self, what: &str) -> Check {
        Check {
            about: Some(what.to_owned()),
            ..self.into()
        }
    }
}

impl fmt::Display for CheckKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Which check: its kind, and what it is about where it is not the whole component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What is proved.
    pub kind: CheckKind,
    /// Of this member.
    pub member: Option<String>,
    /// Of something else that has a name.
    pub about: Option<String>,
}

impl From<CheckKind> for Check {
    fn from(kind: CheckKind) -> Self {
        Self {
            kind,
            member: None,
            about: None,
        }
    }
}

/// Such as `write-read` or `replica-read postgres-2`.
impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.as_str())?;
        match self.member.as_ref().or(self.about.as_ref()) {
            Some(of) => write!(f, " {of}"),
            None => Ok(()),
        }
    }
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct CheckResult {
    /// For people: such as `write-read`, `replica-read postgres-2`, `quorum`.
    pub name: String,
    /// What was proved.
    pub kind: CheckKind,
    /// The member that it is about; `None` when it is about the component as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// Whether the component is down when this fails.
    pub essential: bool,
    /// Whether it passed.
    pub ok: bool,
    /// How long it took, in milliseconds.
    pub ms: f64,
    /// Why it failed: what was tried, on what, and what came back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl CheckResult {
    /// What a check that took this long found; its error says why it failed.
    pub fn of(check: impl Into<Check>, took: Duration, verdict: Result<(), String>) -> Self {
        let check = check.into();
        let ms = (took.as_secs_f64() * 10_000.0).round() / 10.0;
        Self {
            name: check.to_string(),
            kind: check.kind,
            member: check.member,
            essential: check.kind.is_essential(),
            ok: verdict.is_ok(),
            ms,
            error: verdict.err(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CheckKind, CheckResult};
    use std::time::Duration;

    #[test]
    fn a_result_says_in_fields_what_its_name_says_in_words() {
        let refused = Err("refused".to_owned());
        let result = CheckResult::of(
            CheckKind::ReplicaRead.of_member("postgres-2"),
            Duration::from_micros(1_260),
            refused,
        );
        let json = serde_json::to_value(&result).expect("an object");
        assert_eq!(
            json,
            serde_json::json!({
                "name": "replica-read postgres-2", "kind": "replica-read", "member": "postgres-2", "essential": false,
                "ok": false, "ms": 1.3, "error": "refused",
            })
        );
        assert_eq!(serde_json::from_value::<CheckResult>(json).ok(), Some(result));
        let whole = CheckResult::of(CheckKind::WriteRead, Duration::ZERO, Ok(()));
        assert_eq!(
            (whole.name.as_str(), whole.member, whole.essential),
            ("write-read", None, true)
        );
        let door = CheckResult::of(CheckKind::Frontend.about("chat"), Duration::ZERO, Ok(()));
        assert_eq!((door.name.as_str(), door.member), ("frontend chat", None));
    }
}
