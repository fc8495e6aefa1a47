//! Proofs that a component works, by a write and a read. The same checks serve deploy, status, verify and drill.

use serde::{Deserialize, Serialize};

/// What one check found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckResult {
    /// Such as `write-read`, `replica-read postgres-2`, `quorum`.
    pub name: String,
    /// Whether it passed.
    pub ok: bool,
    /// How long it took, in milliseconds.
    pub ms: f64,
    /// Why it failed: what was tried, on what, and what came back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Checks without which a component does not serve at all: its own write and read, quorum, the gateway's way to the leader,
/// a real request. Any other failing check only degrades it.
const ESSENTIAL: [&str; 4] = ["write-read", "quorum", "primary-write", "request"];

impl CheckResult {
    /// Whether the component is down when this fails.
    #[must_use]
    pub fn is_essential(&self) -> bool {
        ESSENTIAL.contains(&self.name.as_str())
    }
}

/// What a store itself says of one of its members.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MemberRole {
    /// The member's name.
    pub member: String,
    /// `leader`, `replica`, `sync-standby`, `master`, `sentinel`, `broker`, `controller`; `None` when it does not answer.
    pub role: Option<String>,
    /// Bytes that it lags behind its leader, where that has a meaning.
    pub lag_bytes: Option<u64>,
}
