//! The tables of consumers, in the service's own schema: the migration that the chassis offers.

use anyhow::Context;
use sqlx::{Connection, PgConnection};

use crate::Postgres;

/// What a member does with these tables is one short transaction for each batch, begun by a lock on the partition's row.
const TABLES: &str = "
    create table if not exists consumer_offsets (
        consumer    text        not null,
        topic       text        not null,
        partition   integer     not null,
        next_offset bigint      not null check (next_offset >= 0),
        cluster     text        not null,
        changed_at  timestamptz not null default now(),
        primary key (consumer, topic, partition)
    );
    create table if not exists consumer_versions (
        consumer text   not null,
        topic    text   not null,
        key      bytea  not null,
        epoch    bigint not null,
        lsn      bigint not null,
        ordinal  bigint not null,
        primary key (consumer, topic, key)
    );
    create table if not exists consumer_dead_letters (
        id               bigint      generated always as identity primary key,
        consumer         text        not null,
        topic            text        not null,
        partition        integer     not null,
        record_offset    bigint      not null,
        -- dead: cannot be applied. parked: waits behind a dead one of its key. gone: only its copy in Kafka is still to be removed.
        state            text        not null check (state in ('dead', 'parked', 'gone')),
        key              bytea,
        header_names     bytea[]     not null,
        header_values    bytea[]     not null,
        body             bytea,
        written_at       bigint,
        reason           text        not null,
        attempts         integer     not null,
        since            timestamptz not null default now(),
        redrive_asked_at timestamptz,
        -- What the topic of dead letters shows of it: nothing, what stands here, or something older.
        copy             text        not null default 'none' check (copy in ('none', 'same', 'old')),
        unique (consumer, topic, partition, record_offset)
    );
    create index if not exists consumer_dead_letters_asked on consumer_dead_letters (consumer, topic, partition)
        where redrive_asked_at is not null;
    create index if not exists consumer_dead_letters_uncopied on consumer_dead_letters (consumer, id) where copy <> 'same';
";

/// Makes them as the schema's owner.
pub(super) async fn prepare(postgres: &Postgres) -> anyhow::Result<()> {
    postgres.as_owner(|connection| Box::pin(make(connection))).await
}

async fn make(connection: &mut PgConnection) -> anyhow::Result<()> {
    let mut transaction = connection.begin().await?;
    // `if not exists` alone lets two members that start together fail on each other.
    sqlx::query("select pg_advisory_xact_lock(hashtext(current_schema() || '.consumer_offsets'))")
        .execute(&mut *transaction)
        .await?;
    sqlx::raw_sql(TABLES)
        .execute(&mut *transaction)
        .await
        .context("cannot make the tables of consumers")?;
    transaction.commit().await?;
    Ok(())
}
