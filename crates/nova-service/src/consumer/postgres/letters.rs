//! What was put aside: `consumer_dead_letters`.

use std::collections::BTreeSet;

use sqlx::PgConnection;

use crate::consumer::{Place, Record};

/// How many letters are copied to Kafka between two looks.
pub(in crate::consumer) const COPIED_AT_ONCE: i64 = 100;

/// Why a letter is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It cannot be applied.
    Dead,
    /// It waits behind a dead one of its key.
    Parked,
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::Dead => "dead",
            Self::Parked => "parked",
        }
    }
}

/// One that is to be put aside.
pub(super) struct Letter<'a> {
    pub(super) record: &'a Record,
    pub(super) state: State,
    pub(super) reason: String,
    pub(super) attempts: u32,
}

/// One that was put aside.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(in crate::consumer) struct Kept {
    pub(in crate::consumer) id: i64,
    pub(in crate::consumer) topic: String,
    pub(in crate::consumer) partition: i32,
    pub(in crate::consumer) record_offset: i64,
    pub(in crate::consumer) state: String,
    pub(in crate::consumer) key: Option<Vec<u8>>,
    pub(in crate::consumer) header_names: Vec<Vec<u8>>,
    pub(in crate::consumer) header_values: Vec<Option<Vec<u8>>>,
    pub(in crate::consumer) body: Option<Vec<u8>>,
    pub(in crate::consumer) written_at: Option<i64>,
    pub(in crate::consumer) reason: String,
    pub(in crate::consumer) attempts: i32,
}

impl Kept {
    /// The record as it came.
    pub(in crate::consumer) fn record(&self) -> Record {
        let names = self
            .header_names
            .iter()
            .map(|name| String::from_utf8_lossy(name).into_owned());
        Record {
            topic: self.topic.clone(),
            partition: self.partition,
            offset: self.record_offset,
            written_at: self.written_at,
            key: self.key.clone(),
            headers: names.zip(self.header_values.iter().cloned()).collect(),
            body: self.body.clone(),
        }
    }
}

/// Those of these keys of which something is put aside, in whatever partition: a topic that grew may have moved a key.
pub(super) async fn keys(
    connection: &mut PgConnection,
    place: &Place,
    keys: &[&[u8]],
) -> Result<BTreeSet<Vec<u8>>, sqlx::Error> {
    if keys.is_empty() {
        return Ok(BTreeSet::new());
    }
    let found: Vec<Vec<u8>> = sqlx::query_scalar(
        "select distinct key from consumer_dead_letters
         where consumer = $1 and topic = $2 and key = any ($3) and state <> 'gone'",
    )
    .bind(place.consumer)
    .bind(&place.topic)
    .bind(keys)
    .fetch_all(connection)
    .await?;
    Ok(found.into_iter().collect())
}

/// How many are put aside of a partition.
pub(super) async fn count(connection: &mut PgConnection, place: &Place) -> Result<usize, sqlx::Error> {
    let count: i64 = sqlx::query_scalar(
        "select count(*) from consumer_dead_letters
         where consumer = $1 and topic = $2 and partition = $3 and state <> 'gone'",
    )
    .bind(place.consumer)
    .bind(&place.topic)
    .bind(place.partition)
    .fetch_one(connection)
    .await?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// Puts these aside. A record that is put aside a second time, after a replay, replaces what there was.
pub(super) async fn insert(
    connection: &mut PgConnection,
    place: &Place,
    letters: &[Letter<'_>],
) -> Result<(), sqlx::Error> {
    for letter in letters {
        let record = letter.record;
        let (names, values): (Vec<&[u8]>, Vec<Option<&[u8]>>) = record
            .headers
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_deref()))
            .unzip();
        sqlx::query(
            "insert into consumer_dead_letters as had (consumer, topic, partition, record_offset, state, key, header_names,
                 header_values, body, written_at, reason, attempts)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
             on conflict (consumer, topic, partition, record_offset) do update
             set state = excluded.state, key = excluded.key, header_names = excluded.header_names,
                 header_values = excluded.header_values, body = excluded.body, written_at = excluded.written_at,
                 reason = excluded.reason, attempts = excluded.attempts, since = now(), redrive_asked_at = null,
                 copy = case had.copy when 'none' then 'none' else 'old' end",
        )
        .bind(place.consumer)
        .bind(&place.topic)
        .bind(place.partition)
        .bind(record.offset)
        .bind(letter.state.name())
        .bind(record.key.as_deref())
        .bind(names)
        .bind(values)
        .bind(record.body.as_deref())
        .bind(record.written_at)
        .bind(storable(&letter.reason))
        .bind(i32::try_from(letter.attempts).unwrap_or(i32::MAX))
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Removes one that is applied now. What Kafka shows of it is removed later.
pub(super) async fn remove(connection: &mut PgConnection, id: i64) -> Result<(), sqlx::Error> {
    let deleted = sqlx::query("delete from consumer_dead_letters where id = $1 and copy = 'none'")
        .bind(id)
        .execute(&mut *connection)
        .await?;
    if deleted.rows_affected() == 0 {
        sqlx::query(
            "update consumer_dead_letters
             set state = 'gone', copy = 'old', redrive_asked_at = null, body = null, header_names = '{}', header_values = '{}'
             where id = $1",
        )
        .bind(id)
        .execute(connection)
        .await?;
    }
    Ok(())
}

/// Notes that one failed again, and takes the wish back for all of its key.
pub(super) async fn failed(
    connection: &mut PgConnection,
    place: &Place,
    letter: &Kept,
    reason: &str,
    attempts: u32,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update consumer_dead_letters
         set state = 'dead', reason = $2, attempts = attempts + $3, redrive_asked_at = null,
             copy = case copy when 'none' then 'none' else 'old' end
         where id = $1",
    )
    .bind(letter.id)
    .bind(storable(reason))
    .bind(i32::try_from(attempts).unwrap_or(i32::MAX))
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "update consumer_dead_letters set redrive_asked_at = null
         where consumer = $1 and topic = $2 and key = $3 and redrive_asked_at is not null",
    )
    .bind(place.consumer)
    .bind(&place.topic)
    .bind(letter.key.as_deref())
    .execute(connection)
    .await?;
    Ok(())
}

/// The first letter of a partition that is asked for again: of its key the oldest, whichever was named.
pub(super) async fn asked(connection: &mut PgConnection, place: &Place) -> Result<Option<Kept>, sqlx::Error> {
    sqlx::query_as(
        "select head.* from consumer_dead_letters asked
         join lateral (
             select id, topic, partition, record_offset, state, key, header_names, header_values, body, written_at, reason, attempts
             from consumer_dead_letters
             where consumer = asked.consumer and topic = asked.topic and state <> 'gone'
               and (id = asked.id or key = asked.key)
             order by id limit 1
             for update
         ) head on true
         where asked.consumer = $1 and asked.topic = $2 and asked.partition = $3 and asked.redrive_asked_at is not null
           and asked.state <> 'gone'
         order by asked.id limit 1",
    )
    .bind(place.consumer)
    .bind(&place.topic)
    .bind(place.partition)
    .fetch_optional(connection)
    .await
}

/// Letters that Kafka does not show as they are, the oldest first.
pub(in crate::consumer) async fn uncopied(
    connection: &mut PgConnection,
    consumer: &str,
) -> Result<Vec<Kept>, sqlx::Error> {
    sqlx::query_as(
        "select id, topic, partition, record_offset, state, key, header_names, header_values, body, written_at, reason, attempts
         from consumer_dead_letters where consumer = $1 and copy <> 'same' order by id limit $2",
    )
    .bind(consumer)
    .bind(COPIED_AT_ONCE)
    .fetch_all(connection)
    .await
}

/// Notes that Kafka shows this letter as it was read; one that is gone is forgotten.
pub(in crate::consumer) async fn copied(connection: &mut PgConnection, letter: &Kept) -> Result<(), sqlx::Error> {
    if letter.state == "gone" {
        sqlx::query("delete from consumer_dead_letters where id = $1 and state = 'gone'")
            .bind(letter.id)
            .execute(connection)
            .await?;
    } else {
        // What has changed meanwhile is copied again.
        sqlx::query(
            "update consumer_dead_letters
             set copy = case when state = $2 and reason = $3 and attempts = $4 then 'same' else 'old' end
             where id = $1",
        )
        .bind(letter.id)
        .bind(&letter.state)
        .bind(&letter.reason)
        .bind(letter.attempts)
        .execute(connection)
        .await?;
    }
    Ok(())
}

/// PostgreSQL stores any text but NUL, and a reason may quote a record.
fn storable(reason: &str) -> String {
    reason.chars().filter(|c| *c != '\0').take(2000).collect()
}
