//! What consumers have put aside: read, asked for again, given up.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sqlx::postgres::PgConnection;

/// What is shown of an event that was put aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct LetterSeen {
    /// Its number, unique in its service.
    pub id: i64,
    /// By whom.
    pub consumer: String,
    /// From where.
    pub topic: String,
    /// Of which partition.
    pub partition: i32,
    /// Its place there.
    pub offset: i64,
    /// Its key, as text.
    pub key: String,
    /// `dead`, or `parked` behind one that is.
    pub state: String,
    /// Why.
    pub reason: String,
    /// How often it was tried.
    pub attempts: i32,
    /// Since when, in seconds since 1970.
    pub since: i64,
    /// Whether its consumer was asked to apply it again and has not done so yet.
    pub asked: bool,
}

/// One event that was put aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// What is shown in a list.
    #[serde(flatten)]
    pub seen: LetterSeen,
    /// Its headers, as text.
    pub headers: BTreeMap<String, String>,
    /// Its body, as text; nothing where it had none.
    pub body: Option<String>,
}

#[derive(sqlx::FromRow)]
struct Content {
    header_names: Vec<Vec<u8>>,
    header_values: Vec<Option<Vec<u8>>>,
    body: Option<Vec<u8>>,
}

/// What is put aside, the oldest first.
pub(super) async fn list(
    connection: &mut PgConnection,
    consumer: Option<&str>,
) -> Result<Vec<LetterSeen>, sqlx::Error> {
    sqlx::query_as(
        "select id, consumer, topic, partition, record_offset as \"offset\",
                coalesce(encode(key, 'escape'), '') as key, state, reason, attempts,
                extract(epoch from since)::bigint as since, redrive_asked_at is not null as asked
         from consumer_dead_letters
         where state <> 'gone' and ($1::text is null or consumer = $1)
         order by consumer, id",
    )
    .bind(consumer)
    .fetch_all(connection)
    .await
}

/// One of them.
pub(super) async fn one(connection: &mut PgConnection, consumer: &str, id: i64) -> Result<Option<Letter>, sqlx::Error> {
    let listed = list(&mut *connection, Some(consumer)).await?;
    let Some(seen) = listed.into_iter().find(|letter| letter.id == id) else {
        return Ok(None);
    };
    let content: Option<Content> =
        sqlx::query_as("select header_names, header_values, body from consumer_dead_letters where id = $1")
            .bind(id)
            .fetch_optional(connection)
            .await?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(content.map(|content| Letter {
        seen,
        headers: content
            .header_names
            .iter()
            .zip(&content.header_values)
            .map(|(name, value)| (text(name), value.as_deref().map(text).unwrap_or_default()))
            .collect(),
        body: content.body.as_deref().map(text),
    }))
}

/// Asks the consumer to apply these again, each with its whole key; all when none is named. How many events that concerns.
pub(super) async fn redrive(connection: &mut PgConnection, consumer: &str, ids: &[i64]) -> Result<u64, sqlx::Error> {
    let asked = sqlx::query(
        "update consumer_dead_letters set redrive_asked_at = now()
         where consumer = $1 and state <> 'gone'
           and (cardinality($2::bigint[]) = 0 or id = any ($2)
                or (topic, key) in (select topic, key from consumer_dead_letters where consumer = $1 and id = any ($2)))",
    )
    .bind(consumer)
    .bind(ids)
    .execute(connection)
    .await?;
    Ok(asked.rows_affected())
}

/// Gives these up; all when none is named. One that Kafka shows is forgotten when its copy is taken back.
pub(super) async fn drop(connection: &mut PgConnection, consumer: &str, ids: &[i64]) -> Result<u64, sqlx::Error> {
    let dropped = sqlx::query_scalar::<_, i64>(
        "with chosen as (
             select id, copy from consumer_dead_letters
             where consumer = $1 and state <> 'gone' and (cardinality($2::bigint[]) = 0 or id = any ($2))
             for update
         ), deleted as (
             delete from consumer_dead_letters where id in (select id from chosen where copy = 'none') returning id
         ), marked as (
             update consumer_dead_letters
             set state = 'gone', copy = 'old', redrive_asked_at = null, body = null, header_names = '{}', header_values = '{}'
             where id in (select id from chosen where copy <> 'none') returning id
         )
         select (select count(*) from deleted) + (select count(*) from marked)",
    )
    .bind(consumer)
    .bind(ids)
    .fetch_one(connection)
    .await?;
    Ok(dropped.unsigned_abs())
}
