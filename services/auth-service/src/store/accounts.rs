//! Accounts and their passwords.

use nova_events::topics::accounts::{AccountEvent, Deleted, Registered};
use nova_service::{DatabaseError, Teller, Timestamp};
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

use super::audit;
use crate::{
    audit::{Event, Outcome, Record},
    client::Client,
    domain::Email,
};

const TELLER: Teller = Teller::new("/auth-service");

/// What is needed to check a password.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Credentials {
    /// Whose.
    pub id: Uuid,
    /// The PHC string.
    pub password_hash: String,
}

/// The unique constraint that a second registration of an address violates.
pub const EMAIL_TAKEN: &str = "accounts_email_key";

/// The account of an e-mail address.
pub async fn by_email(pool: &PgPool, email: &Email) -> Result<Option<Credentials>, DatabaseError> {
    let account = sqlx::query_as("select id, password_hash from accounts where email = $1")
        .bind(email.as_str())
        .fetch_optional(pool)
        .await?;
    Ok(account)
}

/// The account with an id.
pub async fn by_id(pool: &PgPool, id: Uuid) -> Result<Option<Credentials>, DatabaseError> {
    let account = sqlx::query_as("select id, password_hash from accounts where id = $1")
        .bind(id)
        .fetch_optional(pool)
        .await?;
    Ok(account)
}

/// Makes an account; fails on [`EMAIL_TAKEN`]. Returns when it was made.
pub async fn insert(
    connection: &mut PgConnection,
    id: Uuid,
    email: &Email,
    password_hash: &str,
    client: &Client,
) -> Result<Timestamp, DatabaseError> {
    let created_at: Timestamp =
        sqlx::query_scalar("insert into accounts (id, email, password_hash) values ($1, $2, $3) returning created_at")
            .bind(id)
            .bind(email.as_str())
            .bind(password_hash)
            .fetch_one(&mut *connection)
            .await?;
    let record = Record::new(Event::Register, Outcome::Ok, client)
        .account(id)
        .email(email);
    audit::insert(&mut *connection, &record).await?;
    let registered = Registered {
        account_id: id,
        email: email.as_str().to_owned(),
        created_at: OffsetDateTime::from(created_at),
    };
    TELLER.emit(connection, &AccountEvent::from(registered)).await?;
    Ok(created_at)
}

/// Replaces a hash that was made at another cost, unless the password changed meanwhile.
pub async fn rehash(pool: &PgPool, account: &Credentials, password_hash: &str) -> Result<bool, DatabaseError> {
    let updated = sqlx::query("update accounts set password_hash = $3 where id = $1 and password_hash = $2")
        .bind(account.id)
        .bind(&account.password_hash)
        .bind(password_hash)
        .execute(pool)
        .await
        .map_err(DatabaseError::from_write)?;
    Ok(updated.rows_affected() == 1)
}

/// Changes the password, provided that it is still the one that was checked, and ends every session but `keep`.
///
/// Two statements on purpose: the second sees the sessions of logins that the first had to wait for.
pub async fn change_password(
    connection: &mut PgConnection,
    account: &Credentials,
    password_hash: &str,
    keep: Uuid,
    client: &Client,
) -> Result<bool, DatabaseError> {
    let changed = sqlx::query(
        "update accounts set password_hash = $3, password_changed_at = now() where id = $1 and password_hash = $2",
    )
    .bind(account.id)
    .bind(&account.password_hash)
    .bind(password_hash)
    .execute(&mut *connection)
    .await?;
    if changed.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query("delete from sessions where account_id = $1 and id <> $2")
        .bind(account.id)
        .bind(keep)
        .execute(&mut *connection)
        .await?;
    let record = Record::new(Event::PasswordChange, Outcome::Ok, client)
        .account(account.id)
        .session(keep);
    audit::insert(connection, &record).await?;
    Ok(true)
}

/// Deletes an account with its sessions, provided that its password is still the one that was checked, and leaves a row in the
/// queue from which user-service is told.
pub async fn delete(
    connection: &mut PgConnection,
    account: &Credentials,
    session: Uuid,
    client: &Client,
) -> Result<bool, DatabaseError> {
    let deleted = sqlx::query("delete from accounts where id = $1 and password_hash = $2")
        .bind(account.id)
        .bind(&account.password_hash)
        .execute(&mut *connection)
        .await?;
    if deleted.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query("insert into account_deletions (account_id) values ($1)")
        .bind(account.id)
        .execute(&mut *connection)
        .await?;
    let record = Record::new(Event::AccountDelete, Outcome::Ok, client)
        .account(account.id)
        .session(session);
    audit::insert(&mut *connection, &record).await?;
    let deleted = Deleted { account_id: account.id };
    TELLER.emit(connection, &AccountEvent::from(deleted)).await?;
    Ok(true)
}

/// What other services may know of an account.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Details {
    /// The address that it logs in with.
    pub email: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What other services may know of the account with an id.
pub async fn details(pool: &PgPool, id: Uuid) -> Result<Option<Details>, DatabaseError> {
    let details = sqlx::query_as("select email, created_at from accounts where id = $1")
        .bind(id)
        .fetch_optional(pool)
        .await?;
    Ok(details)
}
