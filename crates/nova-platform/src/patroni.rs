//! What Patroni says: who leads, by any member's REST API, and how each member is, by its own.

use std::time::Duration;

use futures::future::join_all;
use serde::Deserialize;
use tokio::time::{Instant, sleep, timeout_at};

use crate::bounded::{Stage, first_answer};
use crate::endpoints::{Endpoints, PostgresEndpoint};
use crate::http::Http;
use crate::probe::MemberRole;

/// Longest wait for what one member says about a split; a member that does not answer leads nobody.
const ANSWER: Duration = Duration::from_millis(300);
/// After that, two that lead are no hand-over any more.
const HANDED_OVER: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Clone)]
pub(crate) struct Patroni {
    members: Vec<PostgresEndpoint>,
    http: Http,
}

/// `GET /cluster`.
#[derive(Deserialize)]
struct Cluster {
    members: Vec<ClusterMember>,
}

#[derive(Deserialize)]
struct ClusterMember {
    name: String,
    role: String,
    state: String,
    host: Option<String>,
    port: Option<u16>,
}

/// `GET /patroni`.
#[derive(Deserialize)]
struct Member {
    state: String,
    role: Option<String>,
    /// Known only when PostgreSQL has just answered.
    xlog: Option<Positions>,
    #[serde(default)]
    sync_standby: bool,
    #[serde(default)]
    quorum_standby: bool,
    /// Made with the data, and the same for all copies of them.
    #[serde(default)]
    database_system_identifier: Option<String>,
}

#[derive(Deserialize, Clone, Copy)]
struct Positions {
    location: Option<u64>,
    replayed_location: Option<u64>,
}

impl Patroni {
    pub(crate) fn new(endpoints: &Endpoints) -> Self {
        Self::sharing(endpoints, Http::new())
    }

    pub(crate) fn sharing(endpoints: &Endpoints, http: Http) -> Self {
        Self {
            members: endpoints.postgres(),
            http,
        }
    }

    /// The member that holds the leader key.
    pub(crate) async fn leader(&self) -> Result<PostgresEndpoint, String> {
        self.leader_told_to(None).await
    }

    pub(crate) async fn leader_told_to(&self, stage: Option<&Stage>) -> Result<PostgresEndpoint, String> {
        let ask = async |member: &PostgresEndpoint| {
            let cluster: Cluster = self
                .http
                .get(&member.patroni, "/cluster")
                .await
                .and_then(|answer| answer.json())
                .map_err(|error| format!("Patroni of {}: {error}", member.member))?;
            Ok((member.member.clone(), cluster))
        };
        let (source, cluster) = first_answer(&self.members, stage, ask)
            .await
            .map_err(|refusals| format!("no Patroni answers: {refusals}"))?;
        leader_of(&cluster, &self.members).map_err(|reason| format!("Patroni of {source} {reason}"))
    }

    /// Whether the members are one cluster: copies of the same data, and not more than one that leads.
    pub(crate) async fn is_one(&self, stage: &Stage) -> Result<(), String> {
        let first = judge_split(&self.members, &self.ask_all(Instant::now() + ANSWER).await);
        if !matches!(first, Err(Split::Leaders(_))) {
            return first.map_err(Split::told);
        }
        sleep(HANDED_OVER.min(stage.remaining().saturating_sub(ANSWER * 3 / 2))).await;
        judge_split(&self.members, &self.ask_all(Instant::now() + ANSWER).await).map_err(Split::told)
    }

    /// Each member by its own account; the role of one that does not answer, or whose PostgreSQL does not run, is `None`.
    pub(crate) async fn roles(&self, until: Instant) -> Vec<MemberRole> {
        judge_roles(&self.members, &self.ask_all(until).await)
    }

    async fn ask_all(&self, until: Instant) -> Vec<Option<Member>> {
        let ask = async |member: &PostgresEndpoint| {
            let answer = timeout_at(until, self.http.get(&member.patroni, "/patroni"))
                .await
                .ok()?
                .ok()?;
            serde_json::from_str::<Member>(&answer.body).ok()
        };
        join_all(self.members.iter().map(ask)).await
    }
}

/// How members are not one cluster.
#[derive(Debug, PartialEq, Eq)]
enum Split {
    /// These lead.
    Leaders(String),
    /// These have data of another origin.
    Data(String),
}

impl Split {
    fn told(self) -> String {
        match self {
            Self::Leaders(members) => format!(
                "PostgreSQL is split: {members} lead, each of them takes writes that the others do not have. Stop writing, find the one with \
                 the truth, and see `nova status` of etcd for the cause"
            ),
            Self::Data(members) => format!(
                "PostgreSQL is split: the members' data are not copies of each other: {members}. Find the ones with the truth before \
                 anything is removed"
            ),
        }
    }
}

fn judge_split(members: &[PostgresEndpoint], found: &[Option<Member>]) -> Result<(), Split> {
    let named = || {
        members
            .iter()
            .zip(found)
            .filter_map(|(member, found)| Some((member.member.as_str(), found.as_ref()?)))
    };
    let origins: Vec<(&str, &str)> = named()
        // One that is being made has none yet, or that of what it replaces.
        .filter(|(_, member)| role_of(member).is_some())
        .filter_map(|(name, member)| Some((name, member.database_system_identifier.as_deref()?)))
        .filter(|(_, origin)| !origin.is_empty())
        .collect();
    if origins.iter().any(|(_, origin)| *origin != origins[0].1) {
        let told: Vec<String> = origins
            .iter()
            .map(|(name, origin)| format!("{name} has {origin}"))
            .collect();
        return Err(Split::Data(told.join(", ")));
    }
    let leaders: Vec<&str> = named()
        .filter(|(_, member)| role_of(member) == Some("leader"))
        .map(|(name, _)| name)
        .collect();
    if leaders.len() > 1 {
        return Err(Split::Leaders(leaders.join(" and ")));
    }
    Ok(())
}

fn leader_of(cluster: &Cluster, members: &[PostgresEndpoint]) -> Result<PostgresEndpoint, String> {
    let Some(leader) = cluster.members.iter().find(|member| member.role == "leader") else {
        let seen: Vec<_> = cluster
            .members
            .iter()
            .map(|member| format!("{} is {} ({})", member.name, member.role, member.state))
            .collect();
        let seen = if seen.is_empty() {
            "no member has registered".to_owned()
        } else {
            seen.join(", ")
        };
        return Err(format!("knows no leader: {seen}"));
    };
    let ours = |member: &&PostgresEndpoint| {
        member.member == leader.name
            || (leader.host.as_ref() == Some(&member.postgres.host) && leader.port == Some(member.postgres.port))
    };
    members
        .iter()
        .find(ours)
        .cloned()
        .ok_or_else(|| format!("names {} as leader, which is no member of this platform", leader.name))
}

fn judge_roles(members: &[PostgresEndpoint], found: &[Option<Member>]) -> Vec<MemberRole> {
    let positions = |found: &Option<Member>| found.as_ref()?.xlog;
    let end = found.iter().find_map(|found| positions(found)?.location);
    let judge = |(member, found): (&PostgresEndpoint, &Option<Member>)| {
        let role = found.as_ref().and_then(role_of);
        let replayed = positions(found).and_then(|positions| positions.replayed_location);
        let lag_bytes = match role {
            Some("leader") => Some(0),
            // Asked at different moments, so a replica may even seem to be ahead.
            Some(_) => end.zip(replayed).map(|(end, replayed)| end.saturating_sub(replayed)),
            None => None,
        };
        MemberRole {
            member: member.member.clone(),
            role: role.map(str::to_owned),
            lag_bytes,
        }
    };
    members.iter().zip(found).map(judge).collect()
}

fn role_of(member: &Member) -> Option<&'static str> {
    // For a while after its start, Patroni calls a server "starting" that answers already.
    if member.state != "running" && member.xlog.is_none() {
        return None;
    }
    match member.role.as_deref()? {
        "primary" | "master" | "leader" => Some("leader"),
        _ if member.sync_standby => Some("sync-standby"),
        _ if member.quorum_standby => Some("quorum-standby"),
        _ => Some("replica"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]
mod tests {
    use super::{Cluster, Member, Split, judge_roles, judge_split, leader_of};
    use crate::endpoints::{HostPort, PostgresEndpoint};

    fn members() -> Vec<PostgresEndpoint> {
        (1..=3)
            .map(|n| PostgresEndpoint {
                member: format!("postgres-{n}"),
                postgres: HostPort::new(format!("127.77.0.{n}"), 5432),
                patroni: HostPort::new(format!("127.77.0.{n}"), 8008),
            })
            .collect()
    }

    fn cluster(json: &str) -> Cluster {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn the_leader_is_found_by_name_or_by_address() {
        let by_name = r#"{"members":[{"name":"postgres-2","role":"leader","state":"running","host":"x","port":1,"timeline":1},
            {"name":"postgres-1","role":"quorum_standby","state":"streaming","lag":"unknown"}],"scope":"nova"}"#;
        assert_eq!(leader_of(&cluster(by_name), &members()).unwrap().member, "postgres-2");
        let by_address =
            r#"{"members":[{"name":"a","role":"leader","state":"running","host":"127.77.0.3","port":5432}]}"#;
        assert_eq!(
            leader_of(&cluster(by_address), &members()).unwrap().member,
            "postgres-3"
        );
    }

    #[test]
    fn without_a_leader_the_members_states_are_told() {
        let json = r#"{"members":[{"name":"postgres-1","role":"replica","state":"creating replica"}]}"#;
        let error = leader_of(&cluster(json), &members()).unwrap_err();
        assert_eq!(error, "knows no leader: postgres-1 is replica (creating replica)");
        let error = leader_of(&cluster(r#"{"members":[]}"#), &members()).unwrap_err();
        assert_eq!(error, "knows no leader: no member has registered");
    }

    #[test]
    fn two_leaders_and_two_origins_are_a_split() {
        let member = |role: &str, origin: &str| -> Option<Member> {
            let text = format!(r#"{{"state":"running","role":"{role}","database_system_identifier":"{origin}"}}"#);
            Some(serde_json::from_str(&text).unwrap())
        };
        let judge = |found: [Option<Member>; 3]| judge_split(&members(), &found);
        assert_eq!(judge([member("primary", "7"), member("replica", "7"), None]), Ok(()));
        assert_eq!(
            judge([member("primary", "7"), member("primary", "7"), member("replica", "7")]),
            Err(Split::Leaders("postgres-1 and postgres-2".to_owned()))
        );
        assert!(matches!(
            judge([member("primary", "7"), None, member("replica", "8")]),
            Err(Split::Data(_))
        ));
    }

    #[test]
    fn roles_and_lag_come_from_each_member_itself() {
        let found: Vec<Option<Member>> = [
            Some(r#"{"state":"running","role":"primary","xlog":{"location":1000}}"#),
            Some(r#"{"state":"running","role":"replica","quorum_standby":true,"xlog":{"received_location":1000,"replayed_location":900,"replayed_timestamp":null,"paused":false}}"#),
            Some(r#"{"state":"stopped","role":"replica"}"#),
            Some(r#"{"state":"starting","role":"replica","xlog":{"received_location":1000,"replayed_location":1000}}"#),
        ]
        .into_iter()
        .map(|json| json.map(|json| serde_json::from_str(json).unwrap()))
        .collect();
        let members = [members(), members()].concat();
        let roles = judge_roles(&members, &found);
        let told: Vec<_> = roles
            .iter()
            .map(|role| (role.role.as_deref(), role.lag_bytes))
            .collect();
        assert_eq!(
            told,
            [
                (Some("leader"), Some(0)),
                (Some("quorum-standby"), Some(100)),
                (None, None),
                (Some("replica"), Some(0))
            ]
        );
    }
}
