//! Gives up, for a PostgreSQL member that is proven dead, the key in etcd that says that it leads. What counts as proof, and why
//! nothing acknowledged can be lost by it, is decision 10.
//!
//! Patroni's key ends by itself when the session (the lease) of its holder does, 20 s after the last sign of life. What is
//! done here has the same effect on the same key, only at once; and only to the session of the life that has ended.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use ureq::Agent;

use crate::address::HostPort;

/// Longest wait for one answer: an etcd that has just lost its own leader answers nothing until it has another.
const ANSWER: Duration = Duration::from_secs(1);
/// Longest wait for a connection. One that went with the same node may refuse it, or be at an address that swallows packets.
const REACH: Duration = Duration::from_millis(200);
/// Pause before the next member of etcd is asked.
const PAUSE: Duration = Duration::from_millis(50);
/// Longest answer that is believed, in bytes; the key and its value take a few hundred.
const LONGEST: u64 = 64 << 10;
/// A key that is bound to no session, where that is written down at all.
const NO_LEASE: &str = "0";
/// Of the tags that Patroni publishes with a member, the one that says which of its lives that is.
pub(crate) const LIFE_TAG: &str = "life";

/// Which key, and whose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaderKey {
    /// etcd's client addresses.
    pub etcd: Vec<HostPort>,
    /// The key: `<Patroni's directory>/leader`.
    pub key: String,
    /// The member whose name is its value while that member leads.
    pub holder: String,
}

/// How the session of the life that has ended is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life<'a> {
    /// It is the one found first: whoever asks starts the member, and has not done so since.
    Last,
    /// By this tag, which Patroni published with it. Another life of the same name may have begun elsewhere.
    Tagged(&'a str),
}

/// The session by which a member holds the key, at one revision of the key; both as etcd writes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    lease: String,
    revision: String,
}

/// Who holds the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// The member, by this session.
    Own(Session),
    /// Somebody else, or nobody whose session could end.
    Other(String),
    /// Nobody.
    Nobody,
}

/// What became of the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Released {
    /// It was the dead member's, and is gone.
    Deleted,
    /// There was none, or it has gone meanwhile.
    Absent,
    /// It is another member's or another session's, and was not touched.
    Untouched(String),
}

#[derive(Deserialize)]
struct Range {
    #[serde(default)]
    kvs: Vec<KeyValue>,
}

/// 64-bit numbers are strings in etcd's JSON.
#[derive(Deserialize)]
struct KeyValue {
    mod_revision: String,
    #[serde(default)]
    lease: Option<String>,
    #[serde(default)]
    value: String,
}

#[derive(Deserialize)]
struct Transaction {
    #[serde(default)]
    succeeded: bool,
}

impl LeaderKey {
    /// Gives the key up, if it is still the dead member's. To be called only when that life of the member is proven dead. It returns
    /// within two answers after `is_wanted` has become false: who asks for [`Life::Last`] must await that before the
    /// member is started again.
    ///
    /// # Errors
    /// When etcd does not answer within `limit`, with its last refusal, or when it is not wanted any longer. Then the key ends
    /// with its session.
    pub fn release(&self, life: Life<'_>, limit: Duration, is_wanted: impl Fn() -> bool) -> Result<Released, String> {
        let until = Instant::now() + limit;
        let mut dead: Option<String> = None;
        let mut next = self.etcd.iter().cycle();
        while is_wanted() {
            let Some(etcd) = next.next() else {
                return Err("the platform has no etcd".to_owned());
            };
            match self.attempt(etcd, life, &mut dead) {
                Ok(Some(released)) => return Ok(released),
                // Written by the same session after it was read: a request that the dead member had sent before.
                Ok(None) => {}
                Err(refusal) if Instant::now() + PAUSE >= until => return Err(refusal),
                Err(_) => thread::sleep(PAUSE),
            }
            if Instant::now() >= until {
                return Err(format!("{} was written again and again", self.key));
            }
        }
        Err(format!("{} is started again", self.holder))
    }

    /// `dead` is the session that was found first, and the only one that is ever ended.
    fn attempt(&self, etcd: &HostPort, life: Life<'_>, dead: &mut Option<String>) -> Result<Option<Released>, String> {
        if let Life::Tagged(tag) = life
            && dead.is_none()
        {
            let Some(session) = self.session_of(etcd, tag)? else {
                return Ok(Some(Released::Untouched("a session that is not known".to_owned())));
            };
            *dead = Some(session);
        }
        let session = match self.holder(etcd)? {
            Holder::Nobody => return Ok(Some(Released::Absent)),
            Holder::Other(who) => return Ok(Some(Released::Untouched(who))),
            Holder::Own(session) => session,
        };
        if *dead.get_or_insert_with(|| session.lease.clone()) != session.lease {
            return Ok(Some(Released::Untouched("another session of its own".to_owned())));
        }
        let deleted = self.delete(etcd, &session)?;
        Ok(deleted.then_some(Released::Deleted))
    }

    /// The session by which this life of the member says where it is met. Patroni holds both keys by the same one.
    fn session_of(&self, etcd: &HostPort, life: &str) -> Result<Option<String>, String> {
        let directory = self.key.strip_suffix("leader").unwrap_or(&self.key);
        let Some(found) = read(etcd, &format!("{directory}members/{}", self.holder))? else {
            return Ok(None);
        };
        let value = STANDARD.decode(&found.value).unwrap_or_default();
        let about: Value = serde_json::from_slice(&value).unwrap_or_default();
        let is_this = about["tags"][LIFE_TAG].as_str() == Some(life);
        Ok(found.lease.filter(|_| is_this))
    }

    /// Who holds the key now; a linearizable read, which a quorum answers through this member of etcd.
    ///
    /// # Errors
    /// When there is no answer within a second, or none that is understood.
    pub fn holder(&self, etcd: &HostPort) -> Result<Holder, String> {
        let Some(found) = read(etcd, &self.key)? else {
            return Ok(Holder::Nobody);
        };
        let value = STANDARD.decode(&found.value).unwrap_or_default();
        if value != self.holder.as_bytes() {
            return Ok(Holder::Other(String::from_utf8_lossy(&value).into_owned()));
        }
        Ok(match found.lease {
            Some(lease) => Holder::Own(Session {
                lease,
                revision: found.mod_revision,
            }),
            // Not Patroni's doing: it binds every leader key to a session.
            None => Holder::Other("nobody's session".to_owned()),
        })
    }

    /// Deletes the key if it is still held by this session and was not written since, in one transaction; whether it did.
    ///
    /// # Errors
    /// When there is no answer within a second: then it may have been deleted or not.
    pub fn delete(&self, etcd: &HostPort, session: &Session) -> Result<bool, String> {
        let key = STANDARD.encode(&self.key);
        let transaction = json!({
            "compare": [
                { "key": key, "target": "VALUE", "result": "EQUAL", "value": STANDARD.encode(&self.holder) },
                { "key": key, "target": "MOD", "result": "EQUAL", "mod_revision": session.revision },
                { "key": key, "target": "LEASE", "result": "EQUAL", "lease": session.lease },
            ],
            "success": [{ "request_delete_range": { "key": key } }],
        });
        let answer: Transaction = ask(etcd, "/v3/kv/txn", &transaction)?;
        Ok(answer.succeeded)
    }
}

fn read(etcd: &HostPort, key: &str) -> Result<Option<KeyValue>, String> {
    let found: Range = ask(etcd, "/v3/kv/range", &json!({ "key": STANDARD.encode(key) }))?;
    Ok(found.kvs.into_iter().next().map(|mut found| {
        found.lease = found.lease.filter(|lease| lease != NO_LEASE);
        found
    }))
}

fn ask<T: DeserializeOwned>(etcd: &HostPort, path: &str, body: &Value) -> Result<T, String> {
    let agent: Agent = Agent::config_builder()
        .timeout_global(Some(ANSWER))
        .timeout_connect(Some(REACH))
        .max_redirects(0)
        .proxy(None)
        .build()
        .into();
    let answer = agent.post(format!("http://{etcd}{path}")).send_json(body);
    let read = answer.and_then(|mut answer| answer.body_mut().with_config().limit(LONGEST).read_json());
    read.map_err(|error| format!("{etcd} did not answer {path} within {} s: {error}", ANSWER.as_secs()))
}

impl fmt::Display for Released {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deleted => f.write_str("its leader key is given up"),
            Self::Absent => f.write_str("there is no leader key"),
            Self::Untouched(who) => write!(f, "the leader key is not its own but of {who}"),
        }
    }
}
