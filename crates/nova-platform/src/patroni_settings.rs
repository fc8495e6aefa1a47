//! The settings that PostgreSQL's members share. Patroni keeps them in etcd and reads its files only once, so a later change
//! is sent to its REST API (`PATCH /config`), and what needs a restart is restarted member by member. Whether that is done is asked of
//! the servers, so that what another deploy left half done is found.

mod restarts;
mod running;

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use crate::endpoints::Endpoints;
use crate::events::{SLOT, publisher};
use crate::http::Http;
use crate::patroni::Patroni;
use crate::postgres_login::Login;
use crate::spec::{Spec, SynchronousMode};
use crate::units::Size;
use restarts::Members;

/// Name that Patroni's REST API asks for before it changes anything.
pub const REST_USER: &str = "nova";

/// Brings a running cluster's shared settings to what the description says, and says what it changed.
///
/// `limit` bounds asking and telling; a restart that a setting needs may take up to a minute a member beyond it.
///
/// # Errors
/// When no Patroni answers or one refuses. Safe to repeat.
pub(crate) async fn ensure(
    spec: &Spec,
    endpoints: &Endpoints,
    superuser: &Login,
    password: &SecretString,
    limit: Duration,
) -> Result<Vec<String>, String> {
    let http = Http::new();
    let leader = timeout(limit, Patroni::new(endpoints).leader())
        .await
        .map_err(|_| too_slow())??;
    let current: Value = timeout(limit, http.get(&leader.patroni, "/config"))
        .await
        .map_err(|_| too_slow())??
        .json()?;
    let mut wanted = shared_settings(spec);
    if wanted.get("slots").is_none() {
        // What is not named stays, and a slot that nobody reads would hold the log back.
        wanted["slots"] = json!({ SLOT: null });
    }
    let mut changes = Vec::new();
    if let Some(change) = difference(&wanted, &current) {
        let sent = http.patch(
            &leader.patroni,
            "/config",
            &change,
            (REST_USER, password.expose_secret()),
        );
        let answer = timeout(limit, sent).await.map_err(|_| too_slow())??;
        answer.json::<Value>()?;
        changes.push(format!("changed PostgreSQL settings {}", names(&change).join(", ")));
    }
    let all = endpoints.postgres();
    let members = Members {
        http: &http,
        leader: &leader,
        replicas: all.iter().filter(|member| member.member != leader.member).collect(),
        wanted: &wanted["postgresql"]["parameters"],
        superuser,
        password,
        loop_wait: spec.postgres.loop_wait.0,
        limit,
    };
    // An earlier deploy may have ended between the settings and the restarts.
    changes.extend(members.settle(!changes.is_empty()).await?);
    Ok(changes)
}

fn too_slow() -> String {
    "Patroni did not answer in time".to_owned()
}

fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// What has to be sent so that `current` holds all of `wanted`; `None` when it does. What `current` holds besides stays.
fn difference(wanted: &Value, current: &Value) -> Option<Value> {
    let (Value::Object(wanted), Value::Object(current)) = (wanted, current) else {
        return (wanted != current).then(|| wanted.clone());
    };
    let part = |(key, value): (&String, &Value)| {
        difference(value, current.get(key).unwrap_or(&Value::Null)).map(|value| (key.clone(), value))
    };
    let parts: Map<String, Value> = wanted.iter().filter_map(part).collect();
    (!parts.is_empty()).then_some(Value::Object(parts))
}

/// The innermost keys of a change.
fn names(change: &Value) -> Vec<String> {
    let Value::Object(parts) = change else {
        return Vec::new();
    };
    let name = |(key, value): (&String, &Value)| {
        if value.is_object() {
            names(value)
        } else {
            vec![key.clone()]
        }
    };
    parts.iter().flat_map(name).collect()
}

/// The settings themselves.
#[must_use]
pub fn shared_settings(spec: &Spec) -> Value {
    let postgres = &spec.postgres;
    let megabytes = |size: Size| format!("{}MB", size.mebibytes());
    let mut settings = json!({
        "ttl": postgres.ttl.as_secs(),
        "loop_wait": postgres.loop_wait.as_secs(),
        "retry_timeout": postgres.retry_timeout.as_secs(),
        "primary_start_timeout": postgres.primary_start_timeout.as_secs(),
        "maximum_lag_on_failover": 1_048_576,
        "check_timeline": true,
        "failsafe_mode": postgres.failsafe_mode,
        "synchronous_mode": match postgres.synchronous_mode {
            SynchronousMode::Quorum => json!("quorum"),
            SynchronousMode::On => json!(true),
            SynchronousMode::Off => json!(false),
        },
        "synchronous_node_count": postgres.synchronous_node_count,
        // A member that is away keeps its slot for this long; what the slot may hold back is bounded below.
        "member_slots_ttl": "30min",
        "postgresql": {
            "use_pg_rewind": true,
            "use_slots": true,
            // Otherwise an old leader that cannot be rewound stays out until somebody comes.
            "remove_data_directory_on_rewind_failure": true,
            "remove_data_directory_on_diverged_timelines": true,
            "parameters": {
                "wal_level": "logical",
                "hot_standby": "on",
                "wal_log_hints": "on",
                "max_connections": postgres.max_connections,
                "max_wal_senders": 10,
                "max_replication_slots": 10,
                "max_worker_processes": 4,
                "shared_buffers": megabytes(postgres.shared_buffers),
                "max_wal_size": megabytes(postgres.max_wal_size),
                "min_wal_size": "80MB",
                "wal_keep_size": "64MB",
                "max_slot_wal_keep_size": megabytes(postgres.max_slot_wal_keep_size),
                "synchronous_commit": "on",
                "password_encryption": "scram-sha-256",
                // A client that vanished with its node must not hold locks for the kernel's two hours.
                "tcp_keepalives_idle": 5,
                "tcp_keepalives_interval": 2,
                "tcp_keepalives_count": 3,
                "wal_receiver_timeout": "5s",
                "wal_sender_timeout": "5s",
                "wal_receiver_status_interval": "1s",
                "wal_retrieve_retry_interval": "500ms",
                "max_parallel_workers": 2,
                "autovacuum_max_workers": 2,
                "jit": "off",
            },
        },
    });
    if let Some((_, database)) = publisher(spec) {
        // Patroni makes it on whoever leads, and keeps copies of it on the others, so that it survives a failover.
        settings["slots"] = json!({ SLOT: { "type": "logical", "database": database, "plugin": "pgoutput" } });
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::{difference, names};
    use serde_json::json;

    #[test]
    fn only_what_differs_is_sent() {
        let wanted = json!({"ttl": 20, "postgresql": {"parameters": {"jit": "off", "max_connections": 200}}});
        let same =
            json!({"ttl": 20, "pause": false, "postgresql": {"parameters": {"jit": "off", "max_connections": 200}}});
        assert_eq!(difference(&wanted, &same), None);
        let other = json!({"ttl": 30, "postgresql": {"parameters": {"jit": "off"}}});
        let change = difference(&wanted, &other);
        assert_eq!(
            change,
            Some(json!({"ttl": 20, "postgresql": {"parameters": {"max_connections": 200}}}))
        );
        assert_eq!(
            change.map(|change| names(&change)),
            Some(vec!["max_connections".to_owned(), "ttl".to_owned()])
        );
    }
}
