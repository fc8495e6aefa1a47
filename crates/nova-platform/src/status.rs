//! The state of a platform on one screen: what its target sees, what its stores say, and whether the checks pass.
//! Serialises as `nova.status/v1`.

use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::components::{ComponentId, facts, facts_of_kind};
use crate::endpoints::Endpoints;
use crate::probe::{CheckResult, MemberRole};
use crate::target::{MemberStatus, RunState};
use crate::topology::{Component, Member};

/// Name and version of the JSON shape.
pub const SCHEMA: &str = "nova.status/v1";

/// How well something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every check passes and every member runs.
    Healthy,
    /// It serves, and has lost some of what keeps it serving.
    Degraded,
    /// It does not serve.
    Down,
    /// Nothing was deployed.
    Absent,
}

/// The whole platform.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct StatusReport {
    /// [`SCHEMA`].
    pub schema: String,
    /// The platform's name.
    pub platform: String,
    /// `local` or `kubernetes`.
    pub target: String,
    /// The worst of the components.
    pub verdict: Verdict,
    /// Every component, in the order of the description.
    pub components: Vec<ComponentStatus>,
}

/// One component.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct ComponentStatus {
    /// The component's name.
    #[schemars(with = "String")]
    pub name: ComponentId,
    /// How well it is.
    pub verdict: Verdict,
    /// What the checks found.
    pub checks: Vec<CheckResult>,
    /// Its members.
    pub members: Vec<MemberReport>,
    /// Where it is met.
    pub endpoints: Vec<EndpointReport>,
}

/// One member: what the target sees and what the store says of it.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct MemberReport {
    /// The member's name.
    pub name: String,
    /// The node that it is lost with.
    pub node: String,
    /// What the store calls it; `None` when it does not answer.
    pub role: Option<String>,
    /// `running`, `unreachable` (runs and does not answer), `backoff`, `stopped`, `failed`.
    pub state: RunState,
    /// Process id, on the local target.
    pub pid: Option<u32>,
    /// Starts after the first one.
    pub restarts: u32,
    /// Bytes behind its leader.
    pub lag_bytes: Option<u64>,
    /// Seconds since the running process started.
    pub age_seconds: Option<u64>,
    /// Resident memory in bytes.
    pub memory_bytes: Option<u64>,
    /// How it last ended.
    pub last_exit: Option<String>,
}

/// An address that users may use.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct EndpointReport {
    /// Such as `primary` or `api`.
    pub name: String,
    /// Without secrets.
    pub url: String,
}

impl StatusReport {
    /// Of a platform that was never deployed.
    #[must_use]
    pub fn absent(platform: &str, target: &str) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            platform: platform.to_owned(),
            target: target.to_owned(),
            verdict: Verdict::Absent,
            components: Vec::new(),
        }
    }

    /// Of components that were looked at.
    #[must_use]
    pub fn of(platform: &str, target: &str, components: Vec<ComponentStatus>) -> Self {
        let verdict = components
            .iter()
            .map(|component| component.verdict)
            .max()
            .unwrap_or(Verdict::Absent);
        Self {
            verdict,
            components,
            ..Self::absent(platform, target)
        }
    }

    /// Resident memory of all members together, in bytes; `None` when none was measured.
    #[must_use]
    pub fn memory_bytes(&self) -> Option<u64> {
        let measured = self
            .components
            .iter()
            .flat_map(|component| &component.members)
            .filter_map(|m| m.memory_bytes);
        measured.reduce(|sum, bytes| sum + bytes)
    }
}

/// The JSON Schema of `nova.status/v1`, for programs that read it. `docs/schemas/status.schema.json` holds the same.
#[must_use]
pub fn json_schema() -> Value {
    let mut schema = schema_for!(StatusReport).to_value();
    schema["$id"] = json!("status.schema.json");
    schema["title"] = json!(SCHEMA);
    schema["properties"]["schema"]["const"] = json!(SCHEMA);
    schema
}

/// Puts together what is known of one component. `now_ms` is the Unix time in milliseconds.
#[must_use]
pub fn component_status(
    component: &Component,
    members: &[MemberStatus],
    roles: &[MemberRole],
    checks: Vec<CheckResult>,
    endpoints: Vec<EndpointReport>,
    now_ms: u64,
) -> ComponentStatus {
    let members: Vec<MemberReport> = component
        .members
        .iter()
        .map(|member| {
            let seen = members.iter().find(|seen| seen.name == member.name);
            let role = roles.iter().find(|role| role.member == member.name);
            let state = match seen.map_or(RunState::Stopped, |seen| seen.state) {
                RunState::Running if !answers(member, role, &checks) => RunState::Unreachable,
                state => state,
            };
            let started = seen.and_then(|seen| seen.started_at_ms);
            MemberReport {
                name: member.name.clone(),
                node: seen
                    .map(|seen| seen.node.clone())
                    .filter(|node| !node.is_empty())
                    .unwrap_or_else(|| member.node_name()),
                role: role.and_then(|role| role.role.clone()),
                state,
                pid: seen.and_then(|seen| seen.pid),
                restarts: seen.map_or(0, |seen| seen.restarts),
                lag_bytes: role.and_then(|role| role.lag_bytes),
                age_seconds: started.map(|started| now_ms.saturating_sub(started) / 1000),
                memory_bytes: seen.and_then(|seen| seen.memory_bytes),
                last_exit: seen.and_then(|seen| seen.last_exit.clone()),
            }
        })
        .collect();
    let verdict = verdict(&checks, &members);
    ComponentStatus {
        name: component.id.clone(),
        verdict,
        checks,
        members,
        endpoints,
    }
}

/// A store's member must say what it is; a service's or the gateway's must not fail the checks that are about it.
fn answers(member: &Member, role: Option<&MemberRole>, checks: &[CheckResult]) -> bool {
    let says = role.is_some_and(|role| role.role.is_some());
    let about = |check: &&CheckResult| check.member.as_ref() == Some(&member.name);
    match facts_of_kind(member.kind).roles {
        false => checks.iter().filter(about).all(|check| check.ok),
        true => says,
    }
}

/// Down when what its users came for does not work, degraded when anything else is amiss.
fn verdict(checks: &[CheckResult], members: &[MemberReport]) -> Verdict {
    let whole = members.iter().all(|member| member.state == RunState::Running);
    if checks.iter().all(|check| check.ok) {
        return if whole { Verdict::Healthy } else { Verdict::Degraded };
    }
    let serves = checks.iter().filter(|check| check.essential).all(|check| check.ok);
    if serves && checks.iter().any(|check| check.ok) {
        Verdict::Degraded
    } else {
        Verdict::Down
    }
}

/// Where users meet a component.
#[must_use]
pub fn endpoint_reports(component: &ComponentId, endpoints: &Endpoints) -> Vec<EndpointReport> {
    let met = (facts(component).met)(endpoints, component).into_iter();
    met.map(|(name, url)| EndpointReport {
        name: name.to_owned(),
        url,
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Verdict, component_status};
    use crate::components::ComponentId;
    use crate::probe::{CheckKind, CheckResult, MemberRole};
    use crate::target::{MemberStatus, RunState};
    use crate::topology::{Component, Kind, Member};

    fn component() -> Component {
        let member = |ordinal: u16| Member {
            name: format!("postgres-{ordinal}"),
            component: ComponentId::Postgres,
            kind: Kind::Postgres,
            ordinal,
            node: Some(ordinal),
        };
        Component {
            id: ComponentId::Postgres,
            needs: Vec::new(),
            members: vec![member(1), member(2)],
        }
    }

    fn seen(name: &str, state: RunState) -> MemberStatus {
        MemberStatus {
            name: name.to_owned(),
            component: ComponentId::Postgres,
            node: "node-1".to_owned(),
            state,
            pid: Some(1),
            started_at_ms: Some(1_000),
            restarts: 0,
            last_exit: None,
            memory_bytes: None,
        }
    }

    fn role(name: &str, role: Option<&str>) -> MemberRole {
        MemberRole {
            member: name.to_owned(),
            role: role.map(str::to_owned),
            lag_bytes: None,
        }
    }

    fn write(ok: bool) -> CheckResult {
        let verdict = ok.then_some(()).ok_or_else(|| "refused".to_owned());
        CheckResult::of(CheckKind::WriteRead, Duration::ZERO, verdict)
    }

    fn replica(ok: bool) -> CheckResult {
        let verdict = ok.then_some(()).ok_or_else(|| "refused".to_owned());
        CheckResult::of(CheckKind::ReplicaRead.of_member("postgres-2"), Duration::ZERO, verdict)
    }

    fn judge(states: [RunState; 2], roles: [Option<&str>; 2], checks: Vec<CheckResult>) -> super::ComponentStatus {
        let members = [seen("postgres-1", states[0]), seen("postgres-2", states[1])];
        let roles = [role("postgres-1", roles[0]), role("postgres-2", roles[1])];
        component_status(&component(), &members, &roles, checks, Vec::new(), 61_000)
    }

    #[test]
    fn all_passing_and_running_is_healthy() {
        let both = [Some("leader"), Some("replica")];
        let status = judge([RunState::Running; 2], both, vec![write(true)]);
        assert_eq!(status.verdict, Verdict::Healthy);
        assert_eq!(status.members[0].age_seconds, Some(60));
    }

    #[test]
    fn a_member_that_does_not_run_degrades_and_a_silent_one_is_unreachable() {
        let status = judge(
            [RunState::Running, RunState::Backoff],
            [Some("leader"), None],
            vec![write(true)],
        );
        assert_eq!(
            (status.verdict, status.members[1].state),
            (Verdict::Degraded, RunState::Backoff)
        );
        let status = judge([RunState::Running; 2], [Some("leader"), None], vec![write(true)]);
        assert_eq!(
            (status.verdict, status.members[1].state),
            (Verdict::Degraded, RunState::Unreachable)
        );
    }

    #[test]
    fn a_failing_write_is_down_and_a_failing_replica_degrades() {
        let both = [Some("leader"), Some("replica")];
        let checks = vec![write(false), replica(true)];
        assert_eq!(judge([RunState::Running; 2], both, checks).verdict, Verdict::Down);
        let checks = vec![write(true), replica(false)];
        assert_eq!(judge([RunState::Running; 2], both, checks).verdict, Verdict::Degraded);
        assert_eq!(
            judge([RunState::Running; 2], both, vec![replica(false)]).verdict,
            Verdict::Down
        );
    }
}
