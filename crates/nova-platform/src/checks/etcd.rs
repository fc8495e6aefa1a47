//! etcd, through its JSON gateway: a write and a linearizable read need a quorum, all members must be of the one cluster and it of them, and
//! each member is asked for itself.

mod cluster;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::future::join_all;
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, timeout_at};

use super::{CheckKind, CheckResult, MemberRole};
use crate::bounded::{Stage, Verdict, check, first_answer};
use crate::components::Kind;
use crate::endpoints::{Endpoints, MemberEndpoint};
use crate::http::Http;

/// See the module.
pub(super) struct Etcd {
    members: Vec<MemberEndpoint>,
    key: String,
    http: Http,
}

#[derive(Clone, Deserialize)]
struct Header {
    #[serde(default, deserialize_with = "number")]
    cluster_id: u64,
    #[serde(default, deserialize_with = "number")]
    member_id: u64,
    #[serde(default, deserialize_with = "number")]
    revision: u64,
}

#[derive(Deserialize)]
struct Written {
    header: Header,
}

#[derive(Deserialize)]
struct Read {
    #[serde(default)]
    kvs: Vec<KeyValue>,
}

#[derive(Deserialize)]
struct KeyValue {
    #[serde(deserialize_with = "number")]
    mod_revision: u64,
}

#[derive(Deserialize)]
struct Health {
    health: String,
    #[serde(default)]
    reason: String,
}

#[derive(Clone, Deserialize)]
struct Status {
    header: Header,
    #[serde(default, deserialize_with = "number")]
    leader: u64,
    #[serde(default, rename = "isLearner")]
    is_learner: bool,
    /// Alarms.
    #[serde(default)]
    errors: Vec<String>,
}

impl Etcd {
    pub(super) fn new(platform: &str, endpoints: &Endpoints, http: Http) -> Self {
        Self {
            members: endpoints.of(Kind::Etcd),
            key: format!("/nova/check/{platform}"),
            http,
        }
    }

    pub(super) async fn checks(&self, until: Instant) -> Vec<CheckResult> {
        let quorum = check(CheckKind::Quorum, until, async |stage| self.quorum(&stage).await);
        let members = join_all(self.members.iter().map(|member| {
            check(CheckKind::Member.of_member(&member.member), until, async move |stage| {
                self.member(member, &stage).await
            })
        }));
        let cluster = check(CheckKind::Members, until, async |stage| {
            self.is_as_described(&stage).await
        });
        let (quorum, cluster, mut results) = tokio::join!(quorum, cluster, members);
        results.splice(0..0, [quorum, cluster]);
        results
    }

    pub(super) async fn roles(&self, until: Instant) -> Vec<MemberRole> {
        join_all(self.members.iter().map(async |member| {
            let status = timeout_at(until, self.status(member)).await;
            let role = status.ok().and_then(Result::ok).map(|status| {
                let role = match status.leader {
                    _ if status.is_learner => "learner",
                    0 => "no leader known",
                    leader if leader == status.header.member_id => "leader",
                    _ => "follower",
                };
                role.to_owned()
            });
            MemberRole {
                member: member.member.clone(),
                role,
                lag_bytes: None,
            }
        }))
        .await
    }

    async fn quorum(&self, stage: &Stage) -> Verdict {
        stage.enter(format!("a quorum to write {} and read it again", self.key));
        let written = first_answer(&self.members, Some(stage), |member| self.write_and_read(member));
        let (written, statuses) = tokio::join!(written, self.statuses());
        cluster::is_one(&statuses)?;
        written.map_err(|refusals| {
            let told = format!("no member could write {} and read it again: {refusals}", self.key);
            match cluster::alarm(&statuses) {
                Some(alarm) => format!("{alarm} ({told})"),
                None => told,
            }
        })
    }

    /// Both through one member: a linearizable read asks a quorum, whichever member answers.
    async fn write_and_read(&self, member: &MemberEndpoint) -> Verdict {
        let of = |error| format!("{}: {error}", member.member);
        let key = STANDARD.encode(&self.key);
        let value = STANDARD.encode(uuid::Uuid::new_v4().to_string());
        let put = json!({ "key": key, "value": value });
        let written: Written = self
            .http
            .post(&member.address, "/v3/kv/put", &put)
            .await
            .and_then(|a| a.json())
            .map_err(of)?;
        let range = json!({ "key": key });
        let read: Read = self
            .http
            .post(&member.address, "/v3/kv/range", &range)
            .await
            .and_then(|a| a.json())
            .map_err(of)?;
        // Another checker may have written since, so a later revision is as good as ours.
        match read.kvs.first() {
            Some(found) if found.mod_revision >= written.header.revision => Ok(()),
            Some(found) => Err(of(format!(
                "a linearizable read of {} returned revision {}, older than {} which it had acknowledged",
                self.key, found.mod_revision, written.header.revision
            ))),
            None => Err(of(format!(
                "a linearizable read did not find {}, which it had just acknowledged",
                self.key
            ))),
        }
    }

    async fn member(&self, member: &MemberEndpoint, stage: &Stage) -> Verdict {
        stage.enter(format!("GET http://{}/health on {}", member.address, member.member));
        let of = |error| format!("{}: {error}", member.member);
        let answer = self.http.get(&member.address, "/health").await.map_err(of)?;
        // An unhealthy member answers 503 with the same shape.
        match serde_json::from_str::<Health>(&answer.body) {
            Ok(health) if health.health == "true" => Ok(()),
            Ok(health) if !health.reason.is_empty() => Err(of(format!("says that it is unhealthy: {}", health.reason))),
            Ok(_) => Err(of(
                "says that it is unhealthy: it reaches no quorum, or an alarm is raised".to_owned(),
            )),
            Err(_) => Err(of(answer.unexpected())),
        }
    }

    async fn status(&self, member: &MemberEndpoint) -> Result<Status, String> {
        self.http
            .post(&member.address, "/v3/maintenance/status", &json!({}))
            .await?
            .json()
    }
}

/// 64-bit numbers are strings in etcd's JSON.
pub(crate) fn number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    String::deserialize(deserializer)?
        .parse()
        .map_err(serde::de::Error::custom)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]
mod tests {
    use super::{Health, Read, Status};

    #[test]
    fn answers_of_etcd_are_understood() {
        let status = r#"{"header":{"cluster_id":"1","member_id":"10501334649042878790","revision":"2","raft_term":"2"},"version":"3.4.23","dbSize":"20480","leader":"10501334649042878790","raftIndex":"8","raftTerm":"2"}"#;
        let status: Status = serde_json::from_str(status).unwrap();
        assert_eq!((status.leader, status.header.revision), (10_501_334_649_042_878_790, 2));
        let read: Read = serde_json::from_str(r#"{"header":{},"kvs":[{"key":"YQ==","create_revision":"2","mod_revision":"7","version":"1","value":"YQ=="}],"count":"1"}"#).unwrap();
        assert_eq!(read.kvs[0].mod_revision, 7);
        let empty: Read = serde_json::from_str(r#"{"header":{"revision":"1"}}"#).unwrap();
        assert!(empty.kvs.is_empty());
        let sick: Health = serde_json::from_str(r#"{"health":"false"}"#).unwrap();
        assert_eq!((sick.health.as_str(), sick.reason.as_str()), ("false", ""));
    }
}
