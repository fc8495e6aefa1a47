//! Counters that many change at once. Whoever finds a counter's row free changes it; whoever finds it held appends a delta
//! instead, because its holder keeps it through a commit that waits for standbys. [`fold`] brings the deltas in. Reading adds
//! both, in one statement: a delta and its counter never differ within a snapshot.
//!
//! **Locks.** A counter's row is locked before its deltas are touched, and never waited for, except by who deletes its posts.

use sqlx::PgConnection;
use uuid::Uuid;

use super::Result;

/// Counters that one folding takes.
const FOLDED: i64 = 500;

/// The likes of the post in the row `c` of `post_counters`, and what is not folded yet.
macro_rules! likes_count {
    () => {
        "c.likes_count + coalesce((select sum(d.likes) from post_deltas d where d.post_id = c.post_id), 0)::bigint"
    };
}
pub(super) use likes_count;

/// Likewise, its comments.
macro_rules! comments_count {
    () => {
        "c.comments_count + coalesce((select sum(d.comments) from post_deltas d where d.post_id = c.post_id), 0)::bigint"
    };
}
pub(super) use comments_count;

/// What changed at a post.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Delta {
    pub(super) likes: i32,
    pub(super) comments: i32,
}

/// Counts a change at a post without waiting for anybody.
pub(super) async fn post(connection: &mut PgConnection, post: Uuid, by: Delta) -> Result<()> {
    let free = sqlx::query("select from post_counters where post_id = $1 for no key update skip locked")
        .bind(post)
        .fetch_optional(&mut *connection)
        .await?;
    let statement = if free.is_some() {
        "update post_counters set likes_count = likes_count + $2, comments_count = comments_count + $3 where post_id = $1"
    } else {
        "insert into post_deltas (post_id, likes, comments) values ($1, $2, $3)"
    };
    sqlx::query(statement)
        .bind(post)
        .bind(by.likes)
        .bind(by.comments)
        .execute(connection)
        .await?;
    Ok(())
}

/// Counts a post of an author without waiting for anybody, except when it is the author's first.
pub(super) async fn published(connection: &mut PgConnection, author: Uuid, id: Uuid) -> Result<()> {
    let free = sqlx::query("select from author_activity where author_id = $1 for no key update skip locked")
        .bind(author)
        .fetch_optional(&mut *connection)
        .await?;
    let mut ours = free.is_some();
    if !ours {
        // Either it is held or there is none; the feed finds authors by it.
        let first =
            sqlx::query("insert into author_activity (author_id, posts_count) values ($1, 0) on conflict do nothing")
                .bind(author)
                .execute(&mut *connection)
                .await?;
        ours = first.rows_affected() > 0;
    }
    let statement = if ours {
        "update author_activity set posts_count = posts_count + 1, last_post_id = greatest(last_post_id, $2)
         where author_id = $1"
    } else {
        "insert into author_deltas (author_id, last_post_id) values ($1, $2)"
    };
    sqlx::query(statement).bind(author).bind(id).execute(connection).await?;
    Ok(())
}

/// Takes posts of an author out of what is counted. The author's activity is locked, and the posts are deleted.
pub(super) async fn withdrawn(connection: &mut PgConnection, author: Uuid, posts: &[Uuid]) -> Result<()> {
    let uncounted = sqlx::query("delete from author_deltas where author_id = $1 and last_post_id = any ($2)")
        .bind(author)
        .bind(posts)
        .execute(&mut *connection)
        .await?
        .rows_affected();
    let counted = i64::try_from(posts.len()).unwrap_or(i64::MAX) - i64::try_from(uncounted).unwrap_or(i64::MAX);
    sqlx::query(
        "update author_activity
         set posts_count = posts_count - $2,
             last_post_id = (select id from posts where author_id = $1 order by id desc limit 1)
         where author_id = $1",
    )
    .bind(author)
    .bind(counted)
    .execute(connection)
    .await?;
    Ok(())
}

/// Brings deltas into their counters, except where somebody holds them. `false` when there was nothing to bring in.
pub(crate) async fn fold(connection: &mut PgConnection) -> Result<bool> {
    let mut folded = 0;
    for [lock, fold, forget] in [
        [
            "select post_id from post_counters
             where post_id in (select post_id from post_deltas group by post_id limit $1)
             order by post_id for no key update skip locked",
            "with taken as (delete from post_deltas where post_id = any ($1) returning post_id, likes, comments),
                  sums as (select post_id, sum(likes) as likes, sum(comments) as comments from taken group by post_id)
             update post_counters c
             set likes_count = c.likes_count + sums.likes, comments_count = c.comments_count + sums.comments
             from sums where c.post_id = sums.post_id",
            // Of posts that are gone.
            "delete from post_deltas d where id in (select id from post_deltas limit $1)
                 and not exists (select from post_counters where post_id = d.post_id)",
        ],
        [
            "select author_id from author_activity
             where author_id in (select author_id from author_deltas group by author_id limit $1)
             order by author_id for no key update skip locked",
            "with taken as (delete from author_deltas where author_id = any ($1) returning author_id, last_post_id),
                  sums as (select author_id, count(*) as posts, (array_agg(last_post_id order by last_post_id desc))[1] as last_post_id
                           from taken group by author_id)
             update author_activity a
             set posts_count = a.posts_count + sums.posts, last_post_id = greatest(a.last_post_id, sums.last_post_id)
             from sums where a.author_id = sums.author_id",
            "delete from author_deltas d where id in (select id from author_deltas limit $1)
                 and not exists (select from author_activity where author_id = d.author_id)",
        ],
    ] {
        let free: Vec<Uuid> = sqlx::query_scalar(lock).bind(FOLDED).fetch_all(&mut *connection).await?;
        if !free.is_empty() {
            let done = sqlx::query(fold).bind(&free).execute(&mut *connection).await?;
            folded += done.rows_affected();
        }
        let gone = sqlx::query(forget).bind(FOLDED).execute(&mut *connection).await?;
        folded += gone.rows_affected();
    }
    Ok(folded > 0)
}
