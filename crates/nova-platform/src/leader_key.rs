//! Gives up, for a PostgreSQL member that is proven dead, the key in etcd that says that it leads. What counts as proof, and why
//! nothing acknowledged can be lost by it, is decision 10.
//!
//! Patroni's key ends by itself when the session (the lease) of its holder does, 20 s after the last sign of life. What is
//! done here has the same effect on the same key, only at once; and only to the session that is found after the death.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use crate::checks::etcd::number;
use crate::checks::http::Http;
use crate::config::{Site, host_ports};
use crate::endpoints::HostPort;
use crate::topology::{Kind, Member};

/// Longest wait for one answer. An etcd that has just lost its own leader answers nothing until it has another; a member that
/// went with the same node never does.
const ANSWER: Duration = Duration::from_secs(1);
/// Pause before the next member of etcd is asked.
const PAUSE: Duration = Duration::from_millis(50);

/// Which key, and whose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaderKey {
    /// etcd's client addresses.
    pub etcd: Vec<HostPort>,
    /// The key.
    pub key: String,
    /// The member whose name is its value while that member leads.
    pub holder: String,
}

/// The session by which a member holds the key, at one revision of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    lease: u64,
    revision: u64,
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

#[derive(Deserialize)]
struct KeyValue {
    #[serde(deserialize_with = "number")]
    mod_revision: u64,
    #[serde(default, deserialize_with = "number")]
    lease: u64,
    #[serde(default)]
    value: String,
}

#[derive(Deserialize)]
struct Transaction {
    #[serde(default)]
    succeeded: bool,
}

impl LeaderKey {
    /// The key of a PostgreSQL member's Patroni: its namespace is Patroni's default, its scope the platform's name.
    #[must_use]
    pub fn of(site: &dyn Site, member: &Member) -> Self {
        let spec = site.spec();
        Self {
            etcd: host_ports(site, Kind::Etcd, spec.etcd.client_port),
            key: format!("/service/{}/leader", spec.platform.name),
            holder: member.name.clone(),
        }
    }

    /// Gives the key up, if it is still the dead member's. To be called only when the member is proven dead, and dropped
    /// before it is started again.
    ///
    /// # Errors
    /// When etcd does not answer within `limit`, with its last refusal. Then the key ends with its session.
    pub async fn release(&self, limit: Duration) -> Result<Released, String> {
        let until = Instant::now() + limit;
        let mut dead: Option<u64> = None;
        let mut next = self.etcd.iter().cycle();
        loop {
            let Some(etcd) = next.next() else {
                return Err("the platform has no etcd".to_owned());
            };
            match self.attempt(etcd, &mut dead).await {
                Ok(Some(released)) => return Ok(released),
                // Written by the same session after it was read: a request that the dead member had sent before.
                Ok(None) => {}
                Err(refusal) if Instant::now() + PAUSE >= until => return Err(refusal),
                Err(_) => sleep(PAUSE).await,
            }
            if Instant::now() >= until {
                return Err(format!("{} was written again and again", self.key));
            }
        }
    }

    /// `dead` is the session that was found first after the death, and the only one that is ever ended.
    async fn attempt(&self, etcd: &HostPort, dead: &mut Option<u64>) -> Result<Option<Released>, String> {
        let session = match self.holder(etcd).await? {
            Holder::Nobody => return Ok(Some(Released::Absent)),
            Holder::Other(who) => return Ok(Some(Released::Untouched(who))),
            Holder::Own(session) => session,
        };
        if *dead.get_or_insert(session.lease) != session.lease {
            return Ok(Some(Released::Untouched("a later session of its own".to_owned())));
        }
        let deleted = self.delete(etcd, session).await?;
        Ok(deleted.then_some(Released::Deleted))
    }

    /// Who holds the key now; a linearizable read, which a quorum answers through this member of etcd.
    ///
    /// # Errors
    /// When there is no answer within a second, or none that is understood.
    pub async fn holder(&self, etcd: &HostPort) -> Result<Holder, String> {
        let found: Range = ask(etcd, "/v3/kv/range", &json!({ "key": STANDARD.encode(&self.key) })).await?;
        let Some(found) = found.kvs.first() else {
            return Ok(Holder::Nobody);
        };
        let value = STANDARD.decode(&found.value).unwrap_or_default();
        if value != self.holder.as_bytes() {
            return Ok(Holder::Other(String::from_utf8_lossy(&value).into_owned()));
        }
        if found.lease == 0 {
            // Not Patroni's doing: it binds every leader key to a session.
            return Ok(Holder::Other("nobody's session".to_owned()));
        }
        Ok(Holder::Own(Session {
            lease: found.lease,
            revision: found.mod_revision,
        }))
    }

    /// Deletes the key if it is still held by this session and was not written since, in one transaction; whether it did.
    ///
    /// # Errors
    /// When there is no answer within a second: then it may have been deleted or not.
    pub async fn delete(&self, etcd: &HostPort, session: Session) -> Result<bool, String> {
        let key = STANDARD.encode(&self.key);
        let transaction = json!({
            "compare": [
                { "key": key, "target": "VALUE", "result": "EQUAL", "value": STANDARD.encode(&self.holder) },
                { "key": key, "target": "MOD", "result": "EQUAL", "mod_revision": session.revision.to_string() },
                { "key": key, "target": "LEASE", "result": "EQUAL", "lease": session.lease.to_string() },
            ],
            "success": [{ "request_delete_range": { "key": key } }],
        });
        let answer: Transaction = ask(etcd, "/v3/kv/txn", &transaction).await?;
        Ok(answer.succeeded)
    }
}

async fn ask<T: DeserializeOwned>(etcd: &HostPort, path: &str, body: &Value) -> Result<T, String> {
    match timeout(ANSWER, Http::new().post(etcd, path, body)).await {
        Ok(answer) => answer?.json(),
        Err(_) => Err(format!("{etcd} did not answer {path} within {} s", ANSWER.as_secs())),
    }
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
