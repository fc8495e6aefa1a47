//! The queue of deleted accounts that user-service has not been told of.

use std::time::Duration;

use nova_service::DatabaseError;
use sqlx::{FromRow, PgPool};
use uuid::Uuid;

/// A deletion that this member may tell of, until its lease ends.
#[derive(Debug, Clone, FromRow)]
pub struct Taken {
    /// The account that was deleted.
    pub account_id: Uuid,
    /// How often it was taken, this time included.
    pub attempts: i32,
    /// How often in a row that failed.
    pub failures: i32,
}

/// How much waits.
#[derive(Debug, Clone, Copy, FromRow)]
pub struct Backlog {
    /// Rows.
    pub pending: i64,
    /// Age of the oldest in seconds; zero without any.
    pub oldest: f64,
}

/// Takes up to `most` deletions that are due. They are due again after `lease`, should this member die.
pub async fn take(pool: &PgPool, most: i64, lease: Duration) -> Result<Vec<Taken>, DatabaseError> {
    sqlx::query_as(
        "update account_deletions
         set attempts = attempts + 1, next_attempt_at = now() + make_interval(secs => $2)
         where account_id in (
             select account_id from account_deletions where next_attempt_at <= now()
             order by next_attempt_at limit $1 for update skip locked
         )
         returning account_id, attempts, failures",
    )
    .bind(most)
    .bind(lease.as_secs_f64())
    .fetch_all(pool)
    .await
    .map_err(DatabaseError::from_write)
}

/// Removes a deletion of which user-service has been told, whoever took it since.
pub async fn finish(pool: &PgPool, account: Uuid) -> Result<(), DatabaseError> {
    sqlx::query("delete from account_deletions where account_id = $1")
        .bind(account)
        .execute(pool)
        .await
        .map_err(DatabaseError::from_write)?;
    Ok(())
}

/// Tries again after `pause`, unless someone else has taken it since. `failed` says whether it was a failure: one more in a row, or
/// none any more.
pub async fn postpone(
    pool: &PgPool,
    taken: &Taken,
    pause: Duration,
    failed: bool,
    reason: &str,
) -> Result<(), DatabaseError> {
    sqlx::query(
        "update account_deletions set next_attempt_at = now() + make_interval(secs => $3), last_error = $4,
             failures = case when $5 then failures + 1 else 0 end
         where account_id = $1 and attempts = $2",
    )
    .bind(taken.account_id)
    .bind(taken.attempts)
    .bind(pause.as_secs_f64())
    .bind(reason)
    .bind(failed)
    .execute(pool)
    .await
    .map_err(DatabaseError::from_write)?;
    Ok(())
}

/// How much waits.
pub async fn backlog(pool: &PgPool) -> Result<Backlog, DatabaseError> {
    let backlog = sqlx::query_as(
        "select count(*) as pending, coalesce(extract(epoch from now() - min(created_at)), 0)::float8 as oldest
         from account_deletions",
    )
    .fetch_one(pool)
    .await?;
    Ok(backlog)
}
