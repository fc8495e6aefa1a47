//! Restarts that changed settings need, one member after another. Standbys must have at least as many connections and the like as their
//! leader: what grows is restarted on the replicas first, what shrinks on the leader, whose new values a replica must have replayed
//! before it may follow.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use super::running::{Different, differences, position};
use super::{REST_USER, now};
use crate::endpoints::PostgresEndpoint;
use crate::http::Http;
use crate::postgres_login::Login;

/// Time that one member may take to restart its PostgreSQL.
const RESTART: Duration = Duration::from_secs(60);
/// Pause between two looks at a member that has to notice a change.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Time for a replica to replay what its leader wrote when it started.
const REPLAY: Duration = Duration::from_secs(10);
/// Rounds of restarts: settings of which some grow and some shrink take two, a replica that was not ready another one.
const ROUNDS: usize = 4;
/// What a standby must have as much of as its leader.
const NOT_BELOW_THE_LEADERS: [&str; 5] = [
    "max_connections",
    "max_worker_processes",
    "max_wal_senders",
    "max_prepared_transactions",
    "max_locks_per_transaction",
];

/// `GET /patroni`, as far as it matters here.
#[derive(Deserialize, Default)]
struct State {
    #[serde(default)]
    pending_restart: bool,
    #[serde(default)]
    pending_restart_reason: BTreeMap<String, Reason>,
    /// Unix time in seconds at which it last read the shared settings.
    dcs_last_seen: Option<u64>,
}

#[derive(Deserialize)]
struct Reason {
    old_value: Value,
    new_value: Value,
}

/// See the module.
pub(super) struct Members<'a> {
    pub(super) http: &'a Http,
    pub(super) leader: &'a PostgresEndpoint,
    pub(super) replicas: Vec<&'a PostgresEndpoint>,
    /// PostgreSQL's settings as described.
    pub(super) wanted: &'a Value,
    pub(super) superuser: &'a Login,
    pub(super) password: &'a SecretString,
    pub(super) loop_wait: Duration,
    /// Of one question.
    pub(super) limit: Duration,
}

impl Members<'_> {
    /// Until every member that answers runs with what is described and none wants a restart. Says what was restarted; `changed` is
    /// whether the shared settings were changed a moment ago.
    pub(super) async fn settle(&self, changed: bool) -> Result<Vec<String>, String> {
        let mut done = Vec::new();
        let noticed = now() + if changed { self.loop_wait.as_secs() + 1 } else { 0 };
        let mut open = self.open().await;
        for _ in 0..ROUNDS {
            if open.is_empty() && !(changed && done.is_empty()) {
                return Ok(done);
            }
            // A member that does not answer reads the settings when it comes back.
            let members = self.all();
            let states = join_all(members.iter().map(|member| self.noticed(member, noticed))).await;
            let mut pending: Vec<(&PostgresEndpoint, State)> = members
                .into_iter()
                .zip(states)
                .filter_map(|(member, state)| Some((member, state.filter(|state| state.pending_restart)?)))
                .collect();
            // Whoever leads is last in this list.
            let shrinks = pending.iter().any(|(_, state)| shrinks(state));
            if shrinks {
                pending.reverse();
            }
            for (member, _) in &pending {
                self.restart(member).await?;
                done.push(format!("restarted the PostgreSQL of {}", member.member));
                if shrinks && *member == self.leader {
                    self.replayed().await;
                }
            }
            open = self.open().await;
            if open.is_empty() {
                return Ok(done);
            }
            sleep(LOOK_EVERY).await;
        }
        Err(open.join("; "))
    }

    /// Replicas first.
    fn all(&self) -> Vec<&PostgresEndpoint> {
        self.replicas.iter().copied().chain([self.leader]).collect()
    }

    /// What is not as described, in words.
    async fn open(&self) -> Vec<String> {
        let one = async |member: &PostgresEndpoint| {
            let (differs, state) = tokio::join!(
                differences(self.superuser, member, self.wanted, self.limit),
                self.state(member)
            );
            let mut open: Vec<String> = differs
                .unwrap_or_default()
                .into_iter()
                .map(|Different { name, running, wanted }| {
                    format!("{} runs with {name} = {running} instead of {wanted}", member.member)
                })
                .collect();
            if open.is_empty() && state.is_some_and(|state| state.pending_restart) {
                open.push(format!("{} waits for a restart", member.member));
            }
            open
        };
        join_all(self.all().into_iter().map(one)).await.concat()
    }

    /// A member's state once it has read the settings after `noticed`, or wants a restart.
    async fn noticed(&self, member: &PostgresEndpoint, noticed: u64) -> Option<State> {
        let patience = self.loop_wait * 3 + Duration::from_secs(2);
        let look = async {
            loop {
                if let Some(state) = self.state(member).await
                    && (state.pending_restart || state.dcs_last_seen.is_some_and(|seen| seen >= noticed))
                {
                    return state;
                }
                sleep(LOOK_EVERY).await;
            }
        };
        timeout(patience, look).await.ok()
    }

    async fn state(&self, member: &PostgresEndpoint) -> Option<State> {
        let answer = timeout(self.limit, self.http.get(&member.patroni, "/patroni")).await;
        serde_json::from_str(&answer.ok()?.ok()?.body).ok()
    }

    async fn restart(&self, member: &PostgresEndpoint) -> Result<(), String> {
        let body = json!({ "restart_pending": true });
        let login = (REST_USER, self.password.expose_secret());
        let restart = self.http.post_as(&member.patroni, "/restart", &body, login);
        let answer = timeout(RESTART, restart)
            .await
            .map_err(|_| format!("{} did not restart its PostgreSQL within {RESTART:?}", member.member))??;
        if answer.status != 200 {
            return Err(answer.unexpected());
        }
        Ok(())
    }

    /// Waits until the replicas have what the leader wrote when it started: a replica that was not told yet takes the old values again.
    async fn replayed(&self) {
        let until = Instant::now() + REPLAY;
        let Some(written) = position(self.superuser, self.leader, self.limit).await else {
            return;
        };
        for replica in &self.replicas {
            while Instant::now() < until {
                match position(self.superuser, replica, self.limit).await {
                    Some(replayed) if replayed < written => sleep(LOOK_EVERY).await,
                    // One that does not answer has nothing to wait for.
                    _ => break,
                }
            }
        }
    }
}

/// Whether a member waits for a value that its leader must have first.
fn shrinks(state: &State) -> bool {
    let number = |value: &Value| match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_i64(),
    };
    let shrinks = |(name, reason): (&String, &Reason)| {
        NOT_BELOW_THE_LEADERS.contains(&name.as_str())
            && number(&reason.new_value)
                .zip(number(&reason.old_value))
                .is_some_and(|(new, old)| new < old)
    };
    state.pending_restart_reason.iter().any(shrinks)
}

#[cfg(test)]
mod tests {
    use super::{State, shrinks};

    fn state(json: &str) -> State {
        serde_json::from_str(json).unwrap_or_default()
    }

    #[test]
    fn what_shrinks_begins_with_the_leader() {
        let of = |old: &str, new: &str| {
            state(&format!(
                r#"{{"pending_restart": true, "pending_restart_reason": {{"max_connections": {{"old_value": {old}, "new_value": {new}}}}}}}"#
            ))
        };
        assert!(shrinks(&of(r#""200""#, r#""150""#)));
        assert!(shrinks(&of("200", "150")));
        assert!(!shrinks(&of(r#""90""#, r#""150""#)));
        let buffers = r#"{"pending_restart_reason": {"shared_buffers": {"old_value": "128MB", "new_value": "64MB"}}}"#;
        assert!(!shrinks(&state(buffers)));
        assert!(!shrinks(&state("{}")));
    }
}
