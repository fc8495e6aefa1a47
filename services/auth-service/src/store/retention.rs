//! Removes what has expired, a bounded batch at a time.
//!
//! Sessions go when their absolute life is over. One that only lay idle too long is refused from then on, and stays in the
//! table until then: an index on its last use would make every refresh dearer.

use std::time::Duration;

use nova_service::DatabaseError;
use sqlx::PgPool;

/// Removes up to `batch` expired sessions.
pub async fn expired_sessions(pool: &PgPool, batch: i64) -> Result<u64, DatabaseError> {
    let deleted = sqlx::query(
        "delete from sessions where id in (
            select id from sessions where expires_at < now() order by expires_at limit $1 for update skip locked
        )",
    )
    .bind(batch)
    .execute(pool)
    .await?;
    Ok(deleted.rows_affected())
}

/// Removes the audit rows among the oldest `batch` that are older than `age`.
pub async fn old_audit(pool: &PgPool, age: Duration, batch: i64) -> Result<u64, DatabaseError> {
    let deleted = sqlx::query(
        "delete from audit where id in (
            select id from (select id, at from audit order by id limit $2) as oldest
            where at < now() - make_interval(secs => $1)
        )",
    )
    .bind(age.as_secs_f64())
    .bind(batch)
    .execute(pool)
    .await?;
    Ok(deleted.rows_affected())
}
