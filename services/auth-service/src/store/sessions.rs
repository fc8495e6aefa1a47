//! Sessions and their refresh tokens.

use std::time::Duration;

use nova_service::{DatabaseError, Timestamp};
use sqlx::{FromRow, PgPool, Row, postgres::PgRow};
use uuid::Uuid;

use super::accounts::Credentials;
use crate::{
    audit::{Event, Outcome},
    client::Client,
    domain::{
        Email, RefreshToken,
        refresh_token::{FamilyKey, Nonce},
    },
};

/// More sessions than this an account cannot have: one more login ends the oldest.
pub const MOST_SESSIONS: i64 = 100;

/// How long sessions last.
#[derive(Debug, Clone)]
pub struct Lifetimes {
    /// From login, whatever happens.
    pub absolute: Duration,
    /// From the last refresh.
    pub idle: Duration,
    /// How long after a refresh the token before it gets the same successor as often as it is shown.
    pub grace: Duration,
    /// How often after that, until the successor is used.
    pub repeats: u16,
}

/// A refresh that succeeded.
#[derive(Debug)]
pub struct Refreshed {
    /// Whose session it is.
    pub account: Uuid,
    /// The next token.
    pub token: RefreshToken,
    /// When the session ends at the latest.
    pub expires_at: Timestamp,
    /// The token was not the present one any more, and the grace was over.
    pub late: bool,
}

/// What the database knows about the tokens of a session.
pub struct Family {
    /// The present token's hash.
    pub token_hash: Vec<u8>,
    /// Tells a genuine token from a forged one.
    pub key: FamilyKey,
}

/// A session as its owner sees it.
#[derive(Debug, FromRow)]
pub struct Session {
    /// Its id.
    pub id: Uuid,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last refreshed.
    pub last_used_at: Timestamp,
    /// When it ends if it is not refreshed again.
    pub expires_at: Timestamp,
    /// From where it was last used.
    pub address: Option<String>,
    /// With what it was last used.
    pub user_agent: Option<String>,
}

/// Begins a session of an account whose password was just checked, and records the login. `None`: the password changed in
/// between. The lock makes a password change, which ends the sessions, either see this one or prevent it.
pub async fn open(
    pool: &PgPool,
    account: &Credentials,
    email: &Email,
    family: &FamilyKey,
    token: &RefreshToken,
    lifetimes: &Lifetimes,
    client: &Client,
) -> Result<Option<Timestamp>, DatabaseError> {
    sqlx::query_scalar(
        "with account as (
            select id from accounts where id = $1 and password_hash = $2 for share
        ), surplus as (
            delete from sessions where id in (
                select id from sessions where account_id = $1 order by id desc offset $3
            )
        ), recorded as (
            insert into audit (event, outcome, account_id, session_id, subject, address, user_agent)
            select $4, $5, id, $6, $7, $8::text::inet, $9 from account
        )
        insert into sessions (id, account_id, expires_at, address, user_agent, family_key, token_hash)
        select $6, id, now() + make_interval(secs => $10), $8::text::inet, $9, $11, $12 from account
        returning expires_at",
    )
    .bind(account.id)
    .bind(&account.password_hash)
    .bind(MOST_SESSIONS - 1)
    .bind(Event::Login.as_str())
    .bind(Outcome::Ok.as_str())
    .bind(token.session())
    .bind(email.digest())
    .bind(client.address.to_string())
    .bind(client.user_agent.as_deref())
    .bind(lifetimes.absolute.as_secs_f64())
    .bind(family.0)
    .bind(token.hash())
    .fetch_optional(pool)
    .await
    .map_err(DatabaseError::from_write)
}

/// Exchanges the present token of a session for the next one. `None`: it is neither the present one nor the one before it.
///
/// The one before is good until its successor was used, since whoever lost the answer that held the successor has nothing else.
/// It gets the same successor again, so that the chain does not fork: whichever of two holders is two steps ahead gives the other
/// one away. Within the grace that costs nothing, after it the number of times is bounded.
///
/// One statement, so that of two simultaneous refreshes the second waits for the row, is evaluated anew on what the first
/// left there, finds its token to be the one before, and is given the same successor.
pub async fn rotate(
    pool: &PgPool,
    token: &RefreshToken,
    lifetimes: &Lifetimes,
    client: &Client,
) -> Result<Option<Refreshed>, DatabaseError> {
    let nonce = Nonce::random();
    let row = sqlx::query(
        "update sessions set
            token_hash = case when token_hash = $2 then $3 else token_hash end,
            previous_hash = $2,
            successor_nonce = case when token_hash = $2 then $4 else successor_nonce end,
            last_used_at = case when token_hash = $2 then now() else last_used_at end,
            repeats = case
                when token_hash = $2 then 0
                when last_used_at > now() - make_interval(secs => $8) then repeats
                else repeats + 1
            end,
            address = $5::text::inet,
            user_agent = $6
        where id = $1
            and expires_at > now()
            and last_used_at > now() - make_interval(secs => $7)
            and (
                token_hash = $2
                or (previous_hash = $2 and (last_used_at > now() - make_interval(secs => $8) or repeats < $9))
            )
        returning account_id, family_key, successor_nonce, expires_at,
            last_used_at <= now() - make_interval(secs => $8) as late",
    )
    .bind(token.session())
    .bind(token.hash())
    .bind(token.successor_hash(nonce))
    .bind(nonce.0)
    .bind(client.address.to_string())
    .bind(client.user_agent.as_deref())
    .bind(lifetimes.idle.as_secs_f64())
    .bind(lifetimes.grace.as_secs_f64())
    .bind(i32::from(lifetimes.repeats))
    .fetch_optional(pool)
    .await
    .map_err(DatabaseError::from_write)?;
    let Some(row) = row else { return Ok(None) };
    let family = FamilyKey(row.try_get("family_key")?);
    let nonce = Nonce(row.try_get("successor_nonce")?);
    Ok(Some(Refreshed {
        account: row.try_get("account_id")?,
        token: token.successor(nonce, &family),
        expires_at: row.try_get("expires_at")?,
        late: row.try_get("late")?,
    }))
}

/// What is known about the session that a token claims to belong to.
pub async fn family(pool: &PgPool, session: Uuid) -> Result<Option<Family>, DatabaseError> {
    let family = sqlx::query("select token_hash, family_key from sessions where id = $1")
        .bind(session)
        .try_map(|row: PgRow| {
            Ok(Family {
                token_hash: row.try_get("token_hash")?,
                key: FamilyKey(row.try_get("family_key")?),
            })
        })
        .fetch_optional(pool)
        .await?;
    Ok(family)
}

/// Whether a session has not ended.
pub async fn is_alive(pool: &PgPool, session: Uuid, lifetimes: &Lifetimes) -> Result<bool, DatabaseError> {
    let alive = sqlx::query_scalar(
        "select exists (
            select from sessions
            where id = $1 and expires_at > now() and last_used_at > now() - make_interval(secs => $2)
        )",
    )
    .bind(session)
    .bind(lifetimes.idle.as_secs_f64())
    .fetch_one(pool)
    .await?;
    Ok(alive)
}

/// Ends a session and records why. `account` restricts it to that account's. Returns whether there was one.
pub async fn end(
    pool: &PgPool,
    session: Uuid,
    account: Option<Uuid>,
    event: Event,
    outcome: Outcome,
    client: &Client,
) -> Result<bool, DatabaseError> {
    let recorded = sqlx::query(
        "with ended as (
            delete from sessions where id = $1 and account_id = coalesce($2, account_id) returning id, account_id
        )
        insert into audit (event, outcome, account_id, session_id, address, user_agent)
        select $3, $4, account_id, id, $5::text::inet, $6 from ended",
    )
    .bind(session)
    .bind(account)
    .bind(event.as_str())
    .bind(outcome.as_str())
    .bind(client.address.to_string())
    .bind(client.user_agent.as_deref())
    .execute(pool)
    .await
    .map_err(DatabaseError::from_write)?;
    Ok(recorded.rows_affected() > 0)
}

/// Ends all sessions of an account but one, and records each.
pub async fn end_others(pool: &PgPool, account: Uuid, keep: Uuid, client: &Client) -> Result<u64, DatabaseError> {
    let recorded = sqlx::query(
        "with ended as (
            delete from sessions where account_id = $1 and id <> $2 returning id, account_id
        )
        insert into audit (event, outcome, account_id, session_id, address, user_agent)
        select $3, $4, account_id, id, $5::text::inet, $6 from ended",
    )
    .bind(account)
    .bind(keep)
    .bind(Event::SessionRevoke.as_str())
    .bind(Outcome::Ok.as_str())
    .bind(client.address.to_string())
    .bind(client.user_agent.as_deref())
    .execute(pool)
    .await
    .map_err(DatabaseError::from_write)?;
    Ok(recorded.rows_affected())
}

/// The sessions of an account that can still be refreshed, newest first, one more than `limit` if there are more.
pub async fn list(
    pool: &PgPool,
    account: Uuid,
    before: Option<Uuid>,
    limit: i64,
    lifetimes: &Lifetimes,
) -> Result<Vec<Session>, DatabaseError> {
    let sessions = sqlx::query_as(
        "select id, created_at, last_used_at, host(address) as address, user_agent,
            least(expires_at, last_used_at + make_interval(secs => $4)) as expires_at
        from sessions
        where account_id = $1 and id < coalesce($2, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
            and expires_at > now() and last_used_at > now() - make_interval(secs => $4)
        order by id desc limit $3 + 1",
    )
    .bind(account)
    .bind(before)
    .bind(limit)
    .bind(lifetimes.idle.as_secs_f64())
    .fetch_all(pool)
    .await?;
    Ok(sessions)
}
