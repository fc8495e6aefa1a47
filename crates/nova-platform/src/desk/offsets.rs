//! How far consumers are, and having one begin anew.

use serde::{Deserialize, Serialize};
use sqlx::Connection;
use sqlx::postgres::PgConnection;

/// How far a consumer is in a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct PlaceSeen {
    /// Which consumer.
    pub consumer: String,
    /// Which topic.
    pub topic: String,
    /// Which partition.
    pub partition: i32,
    /// What it reads next.
    pub next: i64,
    /// Where the partition ends; nothing where Kafka has none such.
    #[sqlx(skip)]
    pub end: Option<i64>,
    /// How many records lie between, transactions' own marks included.
    #[sqlx(skip)]
    pub behind: Option<i64>,
    /// When it moved last, in seconds since 1970.
    pub moved: i64,
    /// Events of the partition that are put aside.
    pub put_aside: i64,
}

/// All places of a schema.
pub(super) async fn places(connection: &mut PgConnection) -> Result<Vec<PlaceSeen>, sqlx::Error> {
    sqlx::query_as(
        "select consumer, topic, partition, next_offset as next, extract(epoch from changed_at)::bigint as moved,
                (select count(*) from consumer_dead_letters letter
                 where letter.consumer = place.consumer and letter.topic = place.topic and letter.partition = place.partition
                   and letter.state <> 'gone') as put_aside
         from consumer_offsets place order by consumer, topic, partition",
    )
    .fetch_all(connection)
    .await
}

/// Forgets a consumer's places in a topic, so that it begins with what Kafka has; with `again` also what it has applied. How many
/// partitions that concerns.
pub(super) async fn reset(
    connection: &mut PgConnection,
    consumer: &str,
    topic: &str,
    again: bool,
) -> Result<u64, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    let forgotten = sqlx::query("delete from consumer_offsets where consumer = $1 and topic = $2")
        .bind(consumer)
        .bind(topic)
        .execute(&mut *transaction)
        .await?;
    if again {
        sqlx::query("delete from consumer_versions where consumer = $1 and topic = $2")
            .bind(consumer)
            .bind(topic)
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(forgotten.rows_affected())
}
