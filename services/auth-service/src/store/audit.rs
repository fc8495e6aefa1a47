//! The audit's rows.

use nova_service::DatabaseError;
use sqlx::{PgExecutor, PgPool};

use crate::audit::{Counted, Record};

/// Records one attempt.
pub async fn insert(executor: impl PgExecutor<'_>, record: &Record<'_>) -> Result<(), DatabaseError> {
    sqlx::query(
        "insert into audit (event, outcome, account_id, session_id, subject, address, user_agent)
        values ($1, $2, $3, $4, $5, $6::text::inet, $7)",
    )
    .bind(record.event.as_str())
    .bind(record.outcome.as_str())
    .bind(record.account)
    .bind(record.session)
    .bind(record.subject)
    .bind(record.client.address.to_string())
    .bind(record.client.user_agent.as_deref())
    .execute(executor)
    .await
    .map_err(DatabaseError::from_write)?;
    Ok(())
}

/// Records attempts that were counted in memory, all or none.
pub async fn insert_counted(pool: &PgPool, counted: &[Counted]) -> Result<(), DatabaseError> {
    let column = |text: fn(&Counted) -> Option<String>| counted.iter().map(text).collect::<Vec<_>>();
    let attempts: Vec<i32> = counted
        .iter()
        .map(|row| i32::try_from(row.attempts).unwrap_or(i32::MAX))
        .collect();
    let subjects: Vec<Option<Vec<u8>>> = counted.iter().map(|row| row.subject.map(Vec::from)).collect();
    sqlx::query(
        "insert into audit (event, outcome, subject, address, user_agent, attempts)
        select event, outcome, subject, address::inet, user_agent, attempts
        from unnest($1::text[], $2::text[], $3::bytea[], $4::text[], $5::text[], $6::integer[])
            as counted (event, outcome, subject, address, user_agent, attempts)",
    )
    .bind(column(|row| Some(row.event.as_str().to_owned())))
    .bind(column(|row| Some(row.outcome.as_str().to_owned())))
    .bind(subjects)
    .bind(column(|row| row.address.map(|address| address.to_string())))
    .bind(column(|row| row.user_agent.clone()))
    .bind(attempts)
    .execute(pool)
    .await?;
    Ok(())
}
