//! Deleting everything of an account, a batch at a time: each one a short transaction that leaves all counters right, so that
//! the whole may be cut off anywhere and begun again.
//!
//! **Locks**, beside those of the other files: a batch first takes the account's own lock, so that two calls for one account
//! go in turn; posts, counters and profiles are locked in the order of their ids, so that deletions of different accounts do
//! not wait for each other in a circle.

use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::{DatabaseError, Result, backlog, counters, told};

/// Rows that one batch touches, about.
const BATCH: i64 = 200;
/// Posts that one batch removes at most.
const POSTS: i64 = 200;

/// Take one off a counter for each time that `$1` names the post.
const UNCOUNT_LIKES: &str = "update post_counters c set likes_count = likes_count - gone.number
     from (select post_id, count(*) as number from unnest($1::uuid[]) as g (post_id) group by post_id) as gone
     where c.post_id = gone.post_id";
const UNCOUNT_COMMENTS: &str = "update post_counters c set comments_count = comments_count - gone.number
     from (select post_id, count(*) as number from unnest($1::uuid[]) as g (post_id) group by post_id) as gone
     where c.post_id = gone.post_id";

/// What came of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Batch {
    /// There may be more.
    More,
    /// Nothing is left.
    Finished,
}

/// What members learn about the deletions of others.
#[derive(Debug)]
pub(crate) struct Lately {
    pub(crate) accounts: Vec<Uuid>,
    /// The database's time of this answer, in microseconds since 1970.
    pub(crate) until: i64,
}

/// Whether an account was deleted.
pub(crate) async fn is_deleted(connection: &mut PgConnection, account: Uuid) -> Result<bool> {
    Ok(
        sqlx::query_scalar("select exists (select from deleted_accounts where account_id = $1)")
            .bind(account)
            .fetch_one(connection)
            .await?,
    )
}

/// Waits for whoever makes or deletes this account's profile, until the transaction ends. The statement after it sees what
/// they did.
pub(super) async fn lock(connection: &mut PgConnection, account: Uuid) -> Result<()> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('account ' || $1::text, 0))")
        .bind(account)
        .execute(connection)
        .await?;
    Ok(())
}

/// Marks an account as deleted, takes its name away and hides what it wrote. `Finished` if nothing of it is left.
pub(crate) async fn begin(connection: &mut PgConnection, account: Uuid) -> Result<Batch> {
    lock(connection, account).await?;
    let finished: bool = sqlx::query_scalar(
        "insert into deleted_accounts as d (account_id) values ($1)
         on conflict (account_id) do update set account_id = d.account_id
         returning finished_at is not null",
    )
    .bind(account)
    .fetch_one(&mut *connection)
    .await?;
    if finished {
        return Ok(Batch::Finished);
    }
    // Before the profile, as everyone who has both: nobody is accepted any more.
    backlog::forget(connection, account).await?;
    sqlx::query("update profiles set username = null, display_name = '', bio = '', private = true where id = $1")
        .bind(account)
        .execute(&mut *connection)
        .await?;
    told::profile(connection, account).await?;
    Ok(Batch::More)
}

/// Removes the next part of an account: what others see first.
pub(crate) async fn next(connection: &mut PgConnection, account: Uuid) -> Result<Batch> {
    lock(connection, account).await?;
    let removed = posts(connection, account).await?
        || comments(connection, account).await?
        || likes(connection, account).await?
        || follows(connection, account).await?
        || pairs(connection, account).await?
        || keys(connection, account).await?;
    if removed {
        return Ok(Batch::More);
    }
    for statement in [
        "delete from author_activity where author_id = $1",
        "delete from author_deltas where author_id = $1",
        "delete from profiles where id = $1",
        "update deleted_accounts set finished_at = now() where account_id = $1",
    ] {
        sqlx::query(statement).bind(account).execute(&mut *connection).await?;
    }
    told::no_profile(connection, account).await?;
    Ok(Batch::Finished)
}

/// Whether a batch met something that a request of the account had begun before: there is more to remove.
pub(crate) fn is_overtaken(error: &DatabaseError) -> bool {
    error.constraint().is_some_and(|name| name.ends_with("_fkey"))
}

/// Several posts at once; what hangs on them is out of sight with them and removed by the backlog.
async fn posts(connection: &mut PgConnection, account: Uuid) -> Result<bool> {
    // As in a single deletion: the author's activity first, then the posts.
    sqlx::query("select from author_activity where author_id = $1 for no key update")
        .bind(account)
        .execute(&mut *connection)
        .await?;
    let posts: Vec<Uuid> = sqlx::query_scalar(
        "select id from posts where id in (select id from posts where author_id = $1 order by id desc limit $2)
         order by id for update",
    )
    .bind(account)
    .bind(POSTS)
    .fetch_all(&mut *connection)
    .await?;
    if posts.is_empty() {
        return Ok(false);
    }
    sqlx::query("delete from posts where id = any ($1)")
        .bind(&posts)
        .execute(&mut *connection)
        .await?;
    counters::withdrawn(connection, account, &posts).await?;
    told::no_posts(connection, account, &posts).await?;
    Ok(true)
}

/// Comments on others' posts.
async fn comments(connection: &mut PgConnection, account: Uuid) -> Result<bool> {
    let found: Vec<(Uuid, Uuid)> =
        sqlx::query_as("select id, post_id from comments where author_id = $1 order by id limit $2")
            .bind(account)
            .bind(BATCH)
            .fetch_all(&mut *connection)
            .await?;
    if found.is_empty() {
        return Ok(false);
    }
    let (ids, of): (Vec<Uuid>, Vec<Uuid>) = found.into_iter().unzip();
    hold(connection, &of).await?;
    let removed: Vec<Uuid> = sqlx::query_scalar("delete from comments where id = any ($1) returning post_id")
        .bind(&ids)
        .fetch_all(&mut *connection)
        .await?;
    uncount(connection, &removed, UNCOUNT_COMMENTS).await?;
    Ok(true)
}

/// Likes of others' posts.
async fn likes(connection: &mut PgConnection, account: Uuid) -> Result<bool> {
    let of: Vec<Uuid> = sqlx::query_scalar("select post_id from likes where account_id = $1 limit $2")
        .bind(account)
        .bind(BATCH)
        .fetch_all(&mut *connection)
        .await?;
    if of.is_empty() {
        return Ok(false);
    }
    hold(connection, &of).await?;
    let removed: Vec<Uuid> =
        sqlx::query_scalar("delete from likes where account_id = $1 and post_id = any ($2) returning post_id")
            .bind(account)
            .bind(&of)
            .fetch_all(&mut *connection)
            .await?;
    uncount(connection, &removed, UNCOUNT_LIKES).await?;
    Ok(true)
}

/// Keeps posts from being deleted, in the order in which everyone locks several.
async fn hold(connection: &mut PgConnection, posts: &[Uuid]) -> Result<()> {
    sqlx::query("select from posts where id = any ($1) order by id for key share")
        .bind(posts)
        .execute(connection)
        .await?;
    Ok(())
}

/// Runs one of the statements above with the counters locked in order.
async fn uncount(connection: &mut PgConnection, posts: &[Uuid], statement: &'static str) -> Result<()> {
    sqlx::query("select from post_counters where post_id = any ($1) order by post_id for no key update")
        .bind(posts)
        .execute(&mut *connection)
        .await?;
    sqlx::query(statement).bind(posts).execute(connection).await?;
    Ok(())
}

/// Whom the account follows and who follows it.
async fn follows(connection: &mut PgConnection, account: Uuid) -> Result<bool> {
    let others: Vec<Uuid> = sqlx::query_scalar(
        "(select followee_id from follows where follower_id = $1 limit $2)
         union
         (select follower_id from follows where followee_id = $1 limit $2)",
    )
    .bind(account)
    .bind(BATCH)
    .fetch_all(&mut *connection)
    .await?;
    if others.is_empty() {
        return Ok(false);
    }
    // As `pair` does for two.
    sqlx::query("select from profiles where id = $1 or id = any ($2) order by id for no key update")
        .bind(account)
        .bind(&others)
        .execute(&mut *connection)
        .await?;
    let ended: Vec<(Uuid, Uuid)> = sqlx::query_as(
        "delete from follows
         where (follower_id = $1 and followee_id = any ($2)) or (followee_id = $1 and follower_id = any ($2))
         returning follower_id, followee_id",
    )
    .bind(account)
    .bind(&others)
    .fetch_all(&mut *connection)
    .await?;
    told::relations(connection, &ended).await?;
    let (followers, followees): (Vec<Uuid>, Vec<Uuid>) = ended.into_iter().unzip();
    sqlx::query(
        "update profiles p
         set following_count = following_count - cardinality(array_positions($2::uuid[], p.id)),
             followers_count = followers_count - cardinality(array_positions($3::uuid[], p.id))
         where id = $1 or id = any ($2) or id = any ($3)",
    )
    .bind(account)
    .bind(&followers)
    .bind(&followees)
    .execute(connection)
    .await?;
    Ok(true)
}

/// Requests to follow and blocks, of and by the account.
async fn pairs(connection: &mut PgConnection, account: Uuid) -> Result<bool> {
    let mut removed: Vec<(Uuid, Uuid)> = Vec::new();
    for statement in [
        "delete from follow_requests where requester_id = $1
             and target_id in (select target_id from follow_requests where requester_id = $1 limit $2)
         returning requester_id, target_id",
        "delete from follow_requests where target_id = $1
             and requester_id in (select requester_id from follow_requests where target_id = $1 limit $2)
         returning requester_id, target_id",
        "delete from blocks where blocker_id = $1
             and blocked_id in (select blocked_id from blocks where blocker_id = $1 limit $2)
         returning blocker_id, blocked_id",
        "delete from blocks where blocked_id = $1
             and blocker_id in (select blocker_id from blocks where blocked_id = $1 limit $2)
         returning blocker_id, blocked_id",
    ] {
        let deleted: Vec<(Uuid, Uuid)> = sqlx::query_as(statement)
            .bind(account)
            .bind(BATCH)
            .fetch_all(&mut *connection)
            .await?;
        removed.extend(deleted);
    }
    told::relations(connection, &removed).await?;
    Ok(!removed.is_empty())
}

/// Answers that are kept for repeated requests: they hold what the account wrote.
async fn keys(connection: &mut PgConnection, account: Uuid) -> Result<bool> {
    let deleted = sqlx::query(
        "delete from idempotency_keys where ctid = any (array(
             select ctid from idempotency_keys where account = $1 limit $2))",
    )
    .bind(account)
    .bind(BATCH)
    .execute(connection)
    .await?;
    Ok(deleted.rows_affected() > 0)
}

/// The accounts that were deleted since a time of an answer before, and a minute earlier: a transaction carries the time of
/// its beginning, and a request that looked before a deletion may note the profile after it.
pub(crate) async fn lately(connection: &mut PgConnection, since: Option<i64>) -> Result<Lately> {
    let (until, accounts): (i64, Vec<Uuid>) = sqlx::query_as(
        "select (extract(epoch from now()) * 1000000)::bigint,
                array(select account_id from deleted_accounts
                      where deleted_at > coalesce(to_timestamp($1 / 1000000.0), now()) - interval '1 minute')",
    )
    .bind(since)
    .fetch_one(connection)
    .await?;
    Ok(Lately { accounts, until })
}

/// Forgets deletions that are finished and older than any access token: two days. Up to `most`; how many.
pub(crate) async fn forget(pool: &PgPool, most: i64) -> Result<u64> {
    let forgotten = sqlx::query(
        "delete from deleted_accounts where account_id in (
             select account_id from deleted_accounts
             where deleted_at < now() - interval '2 days' and finished_at is not null
             order by deleted_at limit $1 for update skip locked)",
    )
    .bind(most)
    .execute(pool)
    .await?;
    Ok(forgotten.rows_affected())
}
