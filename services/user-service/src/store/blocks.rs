//! Who blocked whom. A block hides both from each other and ends every follow between them, asked for or granted.

use sqlx::PgConnection;
use uuid::Uuid;

use super::listed::{ListedRow, author_columns};
use super::{Result, Slice, follow_requests, pair, profiles, told};
use crate::domain::Listed;

/// Blocks the target, also one that blocked the viewer: a block is its owner's, whoever sees whom. Doing it again changes
/// nothing. `false` if there is no such user.
pub(crate) async fn block(connection: &mut PgConnection, viewer: Uuid, target: Uuid) -> Result<bool> {
    let Some(pair) = pair::lock(connection, viewer, target).await? else {
        return Ok(false);
    };
    let added =
        sqlx::query("insert into blocks (id, blocker_id, blocked_id) values ($1, $2, $3) on conflict do nothing")
            .bind(Uuid::now_v7())
            .bind(viewer)
            .bind(target)
            .execute(&mut *connection)
            .await?;
    let added = added.rows_affected() > 0;
    // A block in either direction has ended the follows already.
    if added && !pair.blocked {
        for (follower, followee) in [(viewer, target), (target, viewer)] {
            pair::unfollow(connection, follower, followee).await?;
            follow_requests::remove(connection, follower, followee).await?;
        }
    }
    if added {
        told::relations(connection, &[(viewer, target), (target, viewer)]).await?;
    }
    Ok(true)
}

/// Ends the viewer's block. `false` if there is no such user. Whether the target blocked the viewer makes no difference, so
/// that doing it again is answered alike.
pub(crate) async fn unblock(connection: &mut PgConnection, viewer: Uuid, target: Uuid) -> Result<bool> {
    let removed = sqlx::query("delete from blocks where blocker_id = $1 and blocked_id = $2")
        .bind(viewer)
        .bind(target)
        .execute(&mut *connection)
        .await?;
    if removed.rows_affected() > 0 {
        told::relations(connection, &[(viewer, target)]).await?;
        return Ok(true);
    }
    profiles::exists(connection, target).await
}

/// Whom the viewer blocked, newest first.
pub(crate) async fn list(connection: &mut PgConnection, viewer: Uuid, slice: Slice) -> Result<Vec<Listed>> {
    let rows: Vec<ListedRow> = sqlx::query_as(concat!(
        "select b.id as position, ",
        author_columns!(),
        " from blocks b join profiles a on a.id = b.blocked_id
         where b.blocker_id = $1 and b.id < $2 order by b.id desc limit $3"
    ))
    .bind(viewer)
    .bind(slice.below)
    .bind(slice.rows)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}
