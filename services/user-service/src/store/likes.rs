//! Who likes which post.

use sqlx::PgConnection;
use uuid::Uuid;

use super::counters::{self, Delta};
use super::listed::{ListedRow, author_columns};
use super::{Result, Slice, posts};
use crate::domain::Listed;

/// Likes the post. Doing it again changes nothing. `false` if the viewer may not see such a post.
pub(crate) async fn like(connection: &mut PgConnection, viewer: Uuid, post: Uuid) -> Result<bool> {
    if !posts::hold(connection, viewer, post).await? {
        return Ok(false);
    }
    let added = sqlx::query("insert into likes (post_id, account_id, id) values ($1, $2, $3) on conflict do nothing")
        .bind(post)
        .bind(viewer)
        .bind(Uuid::now_v7())
        .execute(&mut *connection)
        .await?;
    if added.rows_affected() > 0 {
        count(connection, post, 1).await?;
    }
    Ok(true)
}

/// Takes the like back, also from a post that the viewer sees no more. `false` if there is none, and the viewer may not see
/// such a post.
pub(crate) async fn unlike(connection: &mut PgConnection, viewer: Uuid, post: Uuid) -> Result<bool> {
    if !posts::hold_any(connection, post).await? {
        return Ok(false);
    }
    let removed = sqlx::query("delete from likes where post_id = $1 and account_id = $2")
        .bind(post)
        .bind(viewer)
        .execute(&mut *connection)
        .await?;
    if removed.rows_affected() == 0 {
        return posts::is_visible(connection, viewer, post).await;
    }
    count(connection, post, -1).await?;
    Ok(true)
}

async fn count(connection: &mut PgConnection, post: Uuid, by: i32) -> Result<()> {
    let by = Delta {
        likes: by,
        ..Delta::default()
    };
    counters::post(connection, post, by).await
}

/// Who likes the post, newest first, without those that the viewer may not know of.
pub(crate) async fn list(connection: &mut PgConnection, viewer: Uuid, post: Uuid, slice: Slice) -> Result<Vec<Listed>> {
    let rows: Vec<ListedRow> = sqlx::query_as(concat!(
        "select l.id as position, ",
        author_columns!(),
        " from likes l join profiles a on a.id = l.account_id
         where l.post_id = $2 and l.id < $3 and ",
        not_blocked!(),
        " order by l.id desc limit $4"
    ))
    .bind(viewer)
    .bind(post)
    .bind(slice.below)
    .bind(slice.rows)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}
