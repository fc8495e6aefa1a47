//! What was told in a database, in the order of the log: events as services write them, before anybody publishes them.

use nova_events::{PREFIX, Written};
use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

/// Hears every event that is committed in a database from now on.
#[derive(Debug)]
pub struct Told {
    pool: PgPool,
    slot: String,
}

impl Told {
    /// Begins to listen, as the superuser.
    pub(crate) async fn listen(pool: PgPool) -> Self {
        let slot = format!("told_{}", Uuid::new_v4().simple());
        sqlx::query("select pg_create_logical_replication_slot($1, 'pgoutput')")
            .bind(&slot)
            .execute(&pool)
            .await
            .expect("a slot can be made");
        sqlx::raw_sql("create publication told")
            .execute(&pool)
            .await
            .expect("a publication can be made");
        Self { pool, slot }
    }

    /// The events since the last time that it was asked: each one's type, and its body.
    pub async fn events(&self) -> Vec<(String, Value)> {
        let messages: Vec<(Vec<u8>,)> = sqlx::query_as(
            "select data from pg_logical_slot_get_binary_changes($1, null, null,
                 'proto_version', '1', 'publication_names', 'told', 'messages', 'true')",
        )
        .bind(&self.slot)
        .fetch_all(&self.pool)
        .await
        .expect("the log can be read");
        messages.iter().filter_map(|(message,)| event(message)).collect()
    }
}

/// A message of pgoutput: its letter, flags, a place in the log, a prefix that ends with a zero, a length, the content.
fn event(message: &[u8]) -> Option<(String, Value)> {
    let rest = message.strip_prefix(b"M")?.get(1 + 8..)?;
    let rest = rest.strip_prefix(PREFIX.as_bytes())?.strip_prefix(&[0])?;
    let written = Written::decode(rest.get(4..)?).expect("what is told can be read");
    let body = serde_json::from_slice(&written.body).expect("a body is JSON");
    Some((written.envelope.kind, body))
}
