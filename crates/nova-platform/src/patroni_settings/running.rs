//! With which settings PostgreSQL's members run: asked of each server, not remembered.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use sqlx::{Connection, PgConnection};
use tokio::time::timeout;

use crate::endpoints::PostgresEndpoint;
use crate::postgres_login::{Login, MAINTENANCE_DATABASE, explain};

/// A setting that a server does not have as described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Different {
    pub(super) name: String,
    pub(super) running: String,
    pub(super) wanted: String,
}

/// What differs on a server; `None` when it does not answer.
pub(super) async fn differences(
    login: &Login,
    member: &PostgresEndpoint,
    wanted: &Value,
    limit: Duration,
) -> Option<Vec<Different>> {
    let mut session = connect(login, member, limit).await?;
    let names: Vec<String> = wanted.as_object()?.keys().cloned().collect();
    // What a session may set for itself is not the server's.
    let query = sqlx::query_as::<_, (String, String, Option<String>)>(
        "select name, setting, unit from pg_settings where name = any($1) and context in ('postmaster', 'sighup')",
    );
    let found = timeout(limit, query.bind(names).fetch_all(&mut session)).await;
    let found = match found {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => {
            tracing::debug!(member = member.member, error = explain(&error), "settings unknown");
            return None;
        }
        Err(_) => return None,
    };
    let _ = timeout(limit, session.close()).await;
    Some(compare(wanted, &found))
}

/// How far a leader has written, or a replica has replayed.
pub(super) async fn position(login: &Login, member: &PostgresEndpoint, limit: Duration) -> Option<i64> {
    let mut session = connect(login, member, limit).await?;
    let query = sqlx::query_scalar::<_, Option<i64>>(
        "select ((case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end) - '0/0')::bigint",
    );
    let found = timeout(limit, query.fetch_one(&mut session)).await.ok()?.ok()?;
    let _ = timeout(limit, session.close()).await;
    found
}

async fn connect(login: &Login, member: &PostgresEndpoint, limit: Duration) -> Option<PgConnection> {
    let connected = login.connect(&member.postgres, MAINTENANCE_DATABASE, limit);
    timeout(limit, connected).await.ok()?.ok()
}

/// `found` is a name, a setting and its unit each, as PostgreSQL has them.
fn compare(wanted: &Value, found: &[(String, String, Option<String>)]) -> Vec<Different> {
    let one = |(name, setting, unit): &(String, String, Option<String>)| {
        let wanted = match wanted.get(name)? {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let unit = unit.as_deref().unwrap_or_default();
        let same = match quantity(&wanted) {
            Some((number, "")) => setting.parse() == Ok(number),
            Some((number, suffix)) => scaled(number, suffix) == quantity(setting).and_then(|(n, _)| scaled(n, unit)),
            None => *setting == wanted,
        };
        let running = if unit.is_empty() {
            setting.clone()
        } else {
            format!("{setting} x {unit}")
        };
        (!same).then(|| Different {
            name: name.clone(),
            running,
            wanted,
        })
    };
    found.iter().filter_map(one).collect()
}

/// A number and what stands behind it.
fn quantity(text: &str) -> Option<(i64, &str)> {
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '-');
    let (number, suffix) = text.split_at(end.unwrap_or(text.len()));
    Some((number.parse().ok()?, suffix))
}

/// In bytes or milliseconds.
fn scaled(number: i64, unit: &str) -> Option<i64> {
    let (times, unit) = quantity(unit).unwrap_or((1, unit));
    let factors: BTreeMap<&str, i64> = [
        ("B", 1),
        ("kB", 1 << 10),
        ("MB", 1 << 20),
        ("GB", 1 << 30),
        ("ms", 1),
        ("s", 1000),
        ("min", 60_000),
    ]
    .into();
    number.checked_mul(times)?.checked_mul(*factors.get(unit)?)
}

#[cfg(test)]
mod tests {
    use super::{Different, compare};
    use serde_json::json;

    #[test]
    fn the_same_in_another_unit_is_the_same() {
        let found = |name: &str, setting: &str, unit: Option<&str>| {
            (name.to_owned(), setting.to_owned(), unit.map(str::to_owned))
        };
        let wanted = json!({
            "max_connections": 150, "shared_buffers": "64MB", "max_wal_size": "1GB", "wal_receiver_timeout": "5s",
            "wal_level": "logical", "max_slot_wal_keep_size": "1024MB",
        });
        let same = [
            found("max_connections", "150", None),
            found("shared_buffers", "8192", Some("8kB")),
            found("max_wal_size", "1024", Some("MB")),
            found("wal_receiver_timeout", "5000", Some("ms")),
            found("wal_level", "logical", None),
        ];
        assert_eq!(compare(&wanted, &same), []);
        let other = [
            found("max_connections", "200", None),
            found("shared_buffers", "8193", Some("8kB")),
            found("max_slot_wal_keep_size", "-1", Some("MB")),
            found("not described", "1", None),
        ];
        let told: Vec<String> = compare(&wanted, &other)
            .into_iter()
            .map(|Different { name, running, wanted }| format!("{name} {running} {wanted}"))
            .collect();
        assert_eq!(
            told,
            [
                "max_connections 200 150",
                "shared_buffers 8193 x 8kB 64MB",
                "max_slot_wal_keep_size -1 x MB 1024MB"
            ]
        );
    }
}
