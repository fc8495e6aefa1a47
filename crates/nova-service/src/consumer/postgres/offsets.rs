//! The place of each partition: `consumer_offsets`.

use sqlx::PgConnection;

use crate::consumer::{Offered, Place};

/// What is stored of a partition.
#[derive(sqlx::FromRow)]
pub(super) struct Found {
    pub(super) next_offset: i64,
    pub(super) cluster: String,
}

/// Reads the place of a partition, and stores where it begins when there is none. Waits for a transaction of whoever had it
/// before.
pub(super) async fn take_up(
    connection: &mut PgConnection,
    place: &Place,
    offered: &Offered,
) -> Result<Found, sqlx::Error> {
    sqlx::query(
        "insert into consumer_offsets (consumer, topic, partition, next_offset, cluster) values ($1, $2, $3, $4, $5)
         on conflict do nothing",
    )
    .bind(place.consumer)
    .bind(&place.topic)
    .bind(place.partition)
    .bind(offered.first)
    .bind(&offered.cluster)
    .execute(&mut *connection)
    .await?;
    sqlx::query_as(
        "select next_offset, cluster from consumer_offsets where consumer = $1 and topic = $2 and partition = $3 for update",
    )
    .bind(place.consumer)
    .bind(&place.topic)
    .bind(place.partition)
    .fetch_one(connection)
    .await
}

/// Locks a partition's row until the transaction ends, and reads its place.
pub(super) async fn lock(connection: &mut PgConnection, place: &Place) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar(
        "select next_offset from consumer_offsets where consumer = $1 and topic = $2 and partition = $3 for update",
    )
    .bind(place.consumer)
    .bind(&place.topic)
    .bind(place.partition)
    .fetch_optional(connection)
    .await
}

/// Reads the place of a partition as it is now.
pub(super) async fn read(connection: &mut PgConnection, place: &Place) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar("select next_offset from consumer_offsets where consumer = $1 and topic = $2 and partition = $3")
        .bind(place.consumer)
        .bind(&place.topic)
        .bind(place.partition)
        .fetch_optional(connection)
        .await
}

/// Stores the place of a partition whose row is locked.
pub(super) async fn store(connection: &mut PgConnection, place: &Place, next: i64) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update consumer_offsets set next_offset = $4, changed_at = now()
         where consumer = $1 and topic = $2 and partition = $3",
    )
    .bind(place.consumer)
    .bind(&place.topic)
    .bind(place.partition)
    .bind(next)
    .execute(connection)
    .await?;
    Ok(())
}
