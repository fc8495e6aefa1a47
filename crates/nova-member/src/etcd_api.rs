//! What of etcd's API its membership takes, through its JSON gateway: who is in the cluster, and the changes of that. Everything is
//! asked of one member at an address, and has a limit.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use ureq::Agent;

use crate::address::HostPort;

/// Longest wait for one answer: a change of the membership waits for a quorum, and a quorum perhaps for an election.
const ANSWER: Duration = Duration::from_secs(3);
/// Longest wait for a connection, which an address that swallows packets would have for minutes.
const REACH: Duration = Duration::from_millis(300);
/// A defragmentation rewrites the whole file.
const REWRITTEN: Duration = Duration::from_secs(60);
/// Longest answer that is believed, in bytes.
const LONGEST: u64 = 1 << 20;
/// Read to see whether there is a quorum; it need not exist.
const ANY_KEY: &str = "bm92YQ==";

/// A member as the cluster knows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Listed {
    /// Its number, which it keeps for as long as it is in the cluster.
    #[serde(rename = "ID", deserialize_with = "number")]
    pub id: u64,
    /// Empty until it has been up once.
    #[serde(default)]
    pub name: String,
    /// Where the other members meet it.
    #[serde(default, rename = "peerURLs")]
    pub peers: Vec<String>,
    /// Where clients meet it; none until it has been up once.
    #[serde(default, rename = "clientURLs")]
    pub clients: Vec<String>,
    /// It has no vote yet.
    #[serde(default, rename = "isLearner")]
    pub is_learner: bool,
}

/// A cluster as one of its members knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Its number, the same for all its members for ever.
    pub id: u64,
    /// In no particular order.
    pub members: Vec<Listed>,
}

/// What a member says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Its number.
    pub member: u64,
    /// That of its cluster.
    pub cluster: u64,
    /// The number of the one that leads; 0 for nobody.
    pub leader: u64,
    /// It has no vote yet.
    pub is_learner: bool,
    /// The latest revision that it has.
    pub revision: u64,
    /// Alarms, in etcd's words.
    pub errors: Vec<String>,
    /// Bytes of its file.
    pub size: u64,
}

#[derive(Deserialize)]
struct Header {
    #[serde(default, deserialize_with = "number")]
    cluster_id: u64,
    #[serde(default, deserialize_with = "number")]
    member_id: u64,
    #[serde(default, deserialize_with = "number")]
    revision: u64,
}

#[derive(Deserialize)]
struct Members {
    header: Header,
    #[serde(default)]
    members: Vec<Listed>,
}

#[derive(Deserialize)]
struct StatusAnswer {
    header: Header,
    #[serde(default, deserialize_with = "number")]
    leader: u64,
    #[serde(default, rename = "isLearner")]
    is_learner: bool,
    #[serde(default)]
    errors: Vec<String>,
    #[serde(default, rename = "dbSize", deserialize_with = "number")]
    size: u64,
}

#[derive(Deserialize)]
struct Alarms {
    #[serde(default)]
    alarms: Vec<Alarm>,
}

/// A raised alarm.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Alarm {
    /// Whose.
    #[serde(default, rename = "memberID", deserialize_with = "number")]
    pub member: u64,
    /// Such as `NOSPACE`.
    #[serde(default)]
    pub alarm: String,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    error: String,
    #[serde(default)]
    message: String,
}

/// One member, at the address that clients meet it at.
#[derive(Debug, Clone, Copy)]
pub struct At<'a>(pub &'a HostPort);

impl At<'_> {
    /// The cluster as a quorum of it knows it.
    ///
    /// # Errors
    /// When the member does not answer, or reaches no quorum.
    pub fn cluster(self) -> Result<Cluster, String> {
        // A list alone is answered by any member from what it remembers; after this read it remembers the latest.
        let _: Value = self.ask("/v3/kv/range", &json!({ "key": ANY_KEY, "count_only": true }))?;
        self.remembered()
    }

    /// The cluster as this member remembers it.
    ///
    /// # Errors
    /// When it does not answer, or has no vote.
    pub fn remembered(self) -> Result<Cluster, String> {
        self.ask("/v3/cluster/member/list", &json!({})).map(cluster)
    }

    /// Adds a member without a vote. Returns the cluster with it.
    ///
    /// # Errors
    /// When it is refused, as a second one without a vote is, or nobody answers: then it may have been added or not.
    pub fn add_learner(self, peer: &str) -> Result<Cluster, String> {
        let body = json!({ "peerURLs": [peer], "isLearner": true });
        self.ask("/v3/cluster/member/add", &body).map(cluster)
    }

    /// Gives a member its vote.
    ///
    /// # Errors
    /// When it has not caught up yet, or nobody answers.
    pub fn promote(self, id: u64) -> Result<(), String> {
        self.change("/v3/cluster/member/promote", &json!({ "ID": id.to_string() }))
    }

    /// Takes a member out of the cluster. It ends by itself.
    ///
    /// # Errors
    /// When it is refused, or nobody answers.
    pub fn remove(self, id: u64) -> Result<(), String> {
        self.change("/v3/cluster/member/remove", &json!({ "ID": id.to_string() }))
    }

    /// Says where the others meet a member from now on.
    ///
    /// # Errors
    /// When it is refused, or nobody answers.
    pub fn update(self, id: u64, peer: &str) -> Result<(), String> {
        let body = json!({ "ID": id.to_string(), "peerURLs": [peer] });
        self.change("/v3/cluster/member/update", &body)
    }

    /// What the member says of itself; one without a vote answers this, too.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn status(self) -> Result<Status, String> {
        let answer: StatusAnswer = self.ask("/v3/maintenance/status", &json!({}))?;
        Ok(Status {
            member: answer.header.member_id,
            cluster: answer.header.cluster_id,
            revision: answer.header.revision,
            leader: answer.leader,
            is_learner: answer.is_learner,
            errors: answer.errors,
            size: answer.size,
        })
    }

    /// Hands the leadership over. The member that is asked must lead.
    ///
    /// # Errors
    /// When it does not, or the other one does not take it.
    pub fn hand_over(self, to: u64) -> Result<(), String> {
        let body = json!({ "targetID": to.to_string() });
        self.change("/v3/maintenance/transfer-leadership", &body)
    }

    /// Forgets what keys were before this revision.
    ///
    /// # Errors
    /// When it is refused, as one that is forgotten already is, or nobody answers.
    pub fn compact(self, revision: u64) -> Result<(), String> {
        let body = json!({ "revision": revision.to_string(), "physical": true });
        self.change("/v3/kv/compaction", &body)
    }

    /// Gives back what the file of this member does not need. It answers nothing else meanwhile.
    ///
    /// # Errors
    /// When it does not answer within a minute.
    pub fn defragment(self) -> Result<(), String> {
        let _: Value = ask_within(self.0, "/v3/maintenance/defragment", &json!({}), REWRITTEN)?;
        Ok(())
    }

    /// The alarms that are raised.
    ///
    /// # Errors
    /// When nobody answers.
    pub fn alarms(self) -> Result<Vec<Alarm>, String> {
        let found: Alarms = self.ask("/v3/maintenance/alarm", &json!({ "action": "GET" }))?;
        Ok(found.alarms)
    }

    /// Takes an alarm back.
    ///
    /// # Errors
    /// When nobody answers.
    pub fn disarm(self, alarm: &Alarm) -> Result<(), String> {
        let body = json!({ "action": "DEACTIVATE", "memberID": alarm.member.to_string(), "alarm": alarm.alarm });
        self.change("/v3/maintenance/alarm", &body)
    }

    fn change(self, path: &str, body: &Value) -> Result<(), String> {
        self.ask::<Value>(path, body).map(drop)
    }

    fn ask<T: DeserializeOwned>(self, path: &str, body: &Value) -> Result<T, String> {
        ask_within(self.0, path, body, ANSWER)
    }
}

/// What answers at a port between members, where there is no quorum that could be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Peer {
    /// A member that has no data and waits, and the members that it is described with.
    Empty(Vec<String>),
    /// A member with this cluster in its data.
    Etcd(Vec<Listed>),
}

/// As etcd writes it at that port, where numbers are numbers.
#[derive(Deserialize)]
struct Remembered {
    id: u64,
    #[serde(default)]
    name: String,
    #[serde(default, rename = "peerURLs")]
    peers: Vec<String>,
    #[serde(default, rename = "clientURLs")]
    clients: Vec<String>,
    #[serde(default, rename = "isLearner")]
    is_learner: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum PeerAnswer {
    Empty { empty: Vec<String> },
    Etcd(Vec<Remembered>),
}

/// Asks at the port between members.
pub(crate) fn ask_peer(at: &HostPort) -> Result<Peer, String> {
    let answer = agent(Duration::from_secs(1)).get(format!("http://{at}/members")).call();
    let read = answer.and_then(|mut answer| answer.body_mut().with_config().limit(LONGEST).read_json());
    Ok(match read.map_err(|error| error.to_string())? {
        PeerAnswer::Empty { empty } => Peer::Empty(empty),
        PeerAnswer::Etcd(members) => Peer::Etcd(members.into_iter().map(listed).collect()),
    })
}

fn listed(member: Remembered) -> Listed {
    Listed {
        id: member.id,
        name: member.name,
        peers: member.peers,
        clients: member.clients,
        is_learner: member.is_learner,
    }
}

fn cluster(answer: Members) -> Cluster {
    Cluster {
        id: answer.header.cluster_id,
        members: answer.members,
    }
}

fn agent(limit: Duration) -> Agent {
    Agent::config_builder()
        .timeout_global(Some(limit))
        .timeout_connect(Some(REACH))
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .build()
        .into()
}

fn ask_within<T: DeserializeOwned>(at: &HostPort, path: &str, body: &Value, limit: Duration) -> Result<T, String> {
    let silent = |error: ureq::Error| format!("{at} did not answer {path}: {error}");
    let mut answer = agent(limit)
        .post(format!("http://{at}{path}"))
        .send_json(body)
        .map_err(silent)?;
    let is_ok = answer.status().is_success();
    let text = answer.body_mut().with_config().limit(LONGEST).read_to_string();
    let text = text.map_err(silent)?;
    if is_ok {
        return serde_json::from_str(&text)
            .map_err(|error| format!("{at} answered {path} with something else: {error}"));
    }
    let told = serde_json::from_str::<Refusal>(&text).map(|told| {
        if told.error.is_empty() {
            told.message
        } else {
            told.error
        }
    });
    Err(told.unwrap_or(text))
}

/// 64-bit numbers are strings in etcd's JSON.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    String::deserialize(deserializer)?
        .parse()
        .map_err(serde::de::Error::custom)
}
