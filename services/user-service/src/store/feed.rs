//! The home feed, put together when it is read: the posts of oneself and of everyone one follows, newest first.
//!
//! A post is never copied to its author's followers, so publishing costs the same for everyone; the work is here. Searching
//! the posts of each of 1,000 followed accounts takes PostgreSQL about 10 ms on a small machine. Two attempts avoid it:
//!
//! 1. Of the newest posts of *everyone*, those that belong to the feed. One short stretch of an index; enough whenever the
//!    followed accounts are a fair part of what goes on.
//! 2. The few followed accounts with the newest posts, found by one narrow row each (`author_activity`), then only their
//!    posts. Always exact, whatever the followed accounts did.
//!
//! Blocks need no condition: a block ends the follows between two accounts, under the same locks.

use sqlx::PgConnection;
use uuid::Uuid;

use super::posts::{PostRow, select_posts};
use super::{Result, Slice};
use crate::domain::Post;

/// How many of everyone's posts the first attempt looks at. It finds a page of 20 for whoever follows the authors of a
/// twentieth of what is posted, in a third of a millisecond, which is all that it costs whom it does not help.
const STRETCH: i64 = 400;

/// One page of the viewer's feed.
pub(crate) async fn page(connection: &mut PgConnection, viewer: Uuid, slice: Slice) -> Result<Vec<Post>> {
    let rows = match among_newest(connection, viewer, slice).await? {
        rows if rows.is_empty() => among_active(connection, viewer, slice).await?,
        rows => rows,
    };
    Ok(rows.into_iter().map(Into::into).collect())
}

/// A full page, or nothing.
async fn among_newest(connection: &mut PgConnection, viewer: Uuid, slice: Slice) -> Result<Vec<PostRow>> {
    Ok(sqlx::query_as(concat!(
        "with newest as materialized (
             select id, author_id from posts where id < $2 order by id desc limit $4
         ), page as materialized (
             select id from newest
             where author_id = $1 or author_id in (select followee_id from follows where follower_id = $1)
             order by id desc limit $3
         ) ",
        select_posts!(),
        "join page on page.id = p.id where (select count(*) from page) = $3 order by p.id desc"
    ))
    .bind(viewer)
    .bind(slice.below)
    .bind(slice.rows)
    .bind(STRETCH)
    .fetch_all(connection)
    .await?)
}

/// The k newest posts are by the k authors whose newest posts (below the position) are newest; and when there are k such
/// authors, none of the k posts is older than the oldest of those.
async fn among_active(connection: &mut PgConnection, viewer: Uuid, slice: Slice) -> Result<Vec<PostRow>> {
    Ok(sqlx::query_as(concat!(
        "with feed_authors as materialized (
             select followee_id as id from follows where follower_id = $1 union all select $1
         ), unfolded as materialized ( -- hardly ever more than a handful
             select distinct on (author_id) author_id, last_post_id from author_deltas
             order by author_id, last_post_id desc
         ), newest as materialized (
             select author.id as author_id, post.id
             from feed_authors author cross join lateral (
                 select case when latest.post_id < $2 then latest.post_id
                             else (select id from posts where author_id = author.id and id < $2 order by id desc limit 1)
                        end as id
                 from author_activity activity cross join lateral (
                     select greatest(
                         activity.last_post_id,
                         (select last_post_id from unfolded where author_id = activity.author_id)
                     ) as post_id
                 ) latest
                 where activity.author_id = author.id and latest.post_id is not null
                 offset 0 -- keeps this a look-up by author, whatever the planner thinks of the number of authors
             ) post
             where post.id is not null
             order by post.id desc limit $3
         ), page as materialized (
             select post.id
             from newest cross join lateral (
                 select id from posts
                 where author_id = newest.author_id and id < $2
                   and id >= (select case when count(*) < $3 then '00000000-0000-0000-0000-000000000000'
                                          else (array_agg(id order by id))[1] end from newest)
                 order by id desc limit $3
             ) post
             order by post.id desc limit $3
         ) ",
        select_posts!(),
        "join page on page.id = p.id order by p.id desc"
    ))
    .bind(viewer)
    .bind(slice.below)
    .bind(slice.rows)
    .fetch_all(connection)
    .await?)
}
