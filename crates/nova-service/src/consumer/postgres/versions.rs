//! The newest version that was applied of each key: `consumer_versions`.

use nova_events::Version;
use sqlx::PgConnection;

use super::sort::Newest;
use crate::consumer::{Event, Place};

#[derive(sqlx::FromRow)]
struct Row {
    key: Vec<u8>,
    epoch: i64,
    lsn: i64,
    ordinal: i64,
}

/// The newest versions of these keys.
pub(super) async fn of(connection: &mut PgConnection, place: &Place, keys: &[&[u8]]) -> Result<Newest, sqlx::Error> {
    if keys.is_empty() {
        return Ok(Newest::new());
    }
    let rows: Vec<Row> = sqlx::query_as(
        "select key, epoch, lsn, ordinal from consumer_versions where consumer = $1 and topic = $2 and key = any ($3)",
    )
    .bind(place.consumer)
    .bind(&place.topic)
    .bind(keys)
    .fetch_all(connection)
    .await?;
    // What does not fit was not stored by us, and counts as the newest that there can be.
    let version = |row: &Row| Version {
        epoch: u32::try_from(row.epoch).unwrap_or(u32::MAX),
        lsn: u64::try_from(row.lsn).unwrap_or(u64::MAX),
        ordinal: u32::try_from(row.ordinal).unwrap_or(u32::MAX),
    };
    Ok(rows.into_iter().map(|row| (row.key.clone(), version(&row))).collect())
}

/// Notes what was applied: of each key the last, which is the newest.
pub(super) async fn store(connection: &mut PgConnection, place: &Place, events: &[Event]) -> Result<(), sqlx::Error> {
    if events.is_empty() {
        return Ok(());
    }
    let newest: Newest = events
        .iter()
        .map(|event| (event.key().to_vec(), event.version))
        .collect();
    let keys: Vec<&[u8]> = newest.keys().map(Vec::as_slice).collect();
    let epochs: Vec<i64> = newest.values().map(|version| i64::from(version.epoch)).collect();
    let lsns: Vec<i64> = newest
        .values()
        .map(|version| i64::try_from(version.lsn).unwrap_or(i64::MAX))
        .collect();
    let ordinals: Vec<i64> = newest.values().map(|version| i64::from(version.ordinal)).collect();
    sqlx::query(
        "insert into consumer_versions as had (consumer, topic, key, epoch, lsn, ordinal)
         select $1, $2, * from unnest($3::bytea[], $4::bigint[], $5::bigint[], $6::bigint[])
         on conflict (consumer, topic, key) do update
         set epoch = excluded.epoch, lsn = excluded.lsn, ordinal = excluded.ordinal
         where (excluded.epoch, excluded.lsn, excluded.ordinal) > (had.epoch, had.lsn, had.ordinal)",
    )
    .bind(place.consumer)
    .bind(&place.topic)
    .bind(keys)
    .bind(epochs)
    .bind(lsns)
    .bind(ordinals)
    .execute(connection)
    .await?;
    Ok(())
}
