//! What requests marked for later: the next batch of it, each one a short transaction.
//!
//! **Locks**, beside those of the other files: a mark is locked before anything that it stands for, and members pass by what
//! another one has in hand. Likes and comments of removed posts are nobody's to wait for: what a deletion of an account holds
//! is left for the next batch.

use sqlx::PgConnection;
use uuid::Uuid;

use super::{Result, follow_requests};

/// Likes, and comments, that one batch removes.
const HANGING: i64 = 1_000;
/// Removed posts that one batch looks at.
const POSTS: i64 = 500;
/// Requests to follow that one batch accepts.
const REQUESTS: i64 = 200;

/// Which kinds of work there are.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub(crate) struct Backlog {
    pub(crate) posts: bool,
    pub(crate) acceptances: bool,
    pub(crate) deltas: bool,
    /// An account whose deletion nobody has asked to go on lately.
    pub(crate) account: Option<Uuid>,
}

/// What is to do.
pub(crate) async fn look(connection: &mut PgConnection) -> Result<Backlog> {
    Ok(sqlx::query_as(
        "select exists (select from removed_posts) as posts,
                exists (select from acceptances) as acceptances,
                exists (select from post_deltas) or exists (select from author_deltas) as deltas,
                (select account_id from deleted_accounts
                 where finished_at is null and deleted_at < now() - interval '2 seconds'
                 order by deleted_at limit 1) as account",
    )
    .fetch_one(connection)
    .await?)
}

/// Removes some of what hung on removed posts. `false` when it found nothing that it could do.
pub(crate) async fn posts(connection: &mut PgConnection) -> Result<bool> {
    let posts: Vec<Uuid> =
        sqlx::query_scalar("select post_id from removed_posts order by removed_at limit $1 for update skip locked")
            .bind(POSTS)
            .fetch_all(&mut *connection)
            .await?;
    if posts.is_empty() {
        return Ok(false);
    }
    let mut done = 0;
    for statement in [
        "delete from likes where (post_id, account_id) in (
             select post_id, account_id from likes where post_id = any ($1) limit $2 for update skip locked)",
        "delete from comments where id in (
             select id from comments where post_id = any ($1) limit $2 for update skip locked)",
    ] {
        let removed = sqlx::query(statement)
            .bind(&posts)
            .bind(HANGING)
            .execute(&mut *connection)
            .await?;
        done += removed.rows_affected();
    }
    let finished = sqlx::query(
        "delete from removed_posts r where post_id = any ($1)
             and not exists (select from likes where post_id = r.post_id)
             and not exists (select from comments where post_id = r.post_id)",
    )
    .bind(&posts)
    .execute(connection)
    .await?;
    Ok(done + finished.rows_affected() > 0)
}

/// Accepts some of those who asked to follow an account that turned public. `false` when there is no such account.
pub(crate) async fn acceptances(connection: &mut PgConnection, max_following: i64) -> Result<bool> {
    let account: Option<Uuid> = sqlx::query_scalar("select account_id from acceptances limit 1 for update skip locked")
        .fetch_optional(&mut *connection)
        .await?;
    let Some(account) = account else { return Ok(false) };
    accept(connection, account, max_following).await?;
    Ok(true)
}

/// Marks the account's requests for acceptance, and accepts the first of them; or takes the mark back.
pub(super) async fn turn(connection: &mut PgConnection, account: Uuid, public: bool, max_following: i64) -> Result<()> {
    if !public {
        return forget(connection, account).await;
    }
    sqlx::query(
        "insert into acceptances (account_id) values ($1) on conflict (account_id) do update set account_id = $1",
    )
    .bind(account)
    .execute(&mut *connection)
    .await?;
    accept(connection, account, max_following).await
}

/// Takes the mark of an account away: its requests wait for a decision again, or go with it.
pub(super) async fn forget(connection: &mut PgConnection, account: Uuid) -> Result<()> {
    sqlx::query("delete from acceptances where account_id = $1")
        .bind(account)
        .execute(connection)
        .await?;
    Ok(())
}

/// The mark is locked.
async fn accept(connection: &mut PgConnection, account: Uuid, max_following: i64) -> Result<()> {
    if !follow_requests::accept_some(connection, account, REQUESTS, max_following).await? {
        forget(connection, account).await?;
    }
    Ok(())
}
