//! Who blocked whom. A block hides both from each other and ends every follow between them, asked for or granted.

use sqlx::PgConnection;
use uuid::Uuid;

use super::listed::{ListedRow, author_columns};
use super::{Result, Slice, follow_requests, follows, pair, profiles};
use crate::domain::Listed;

/// Blocks the target. Doing it again changes nothing. `false` if the viewer may not know of such a user.
pub(crate) async fn block(connection: &mut PgConnection, viewer: Uuid, target: Uuid) -> Result<bool> {
    let Some(pair) = pair::lock(connection, viewer, target).await? else {
        return Ok(false);
    };
    if pair.blocked {
        return exists(connection, viewer, target).await;
    }
    sqlx::query("insert into blocks (id, blocker_id, blocked_id) values ($1, $2, $3)")
        .bind(Uuid::now_v7())
        .bind(viewer)
        .bind(target)
        .execute(&mut *connection)
        .await?;
    for (follower, followee) in [(viewer, target), (target, viewer)] {
        follows::remove(connection, follower, followee).await?;
        follow_requests::remove(connection, follower, followee).await?;
    }
    Ok(true)
}

/// Ends the viewer's block. `false` if there is none and the viewer may not know of such a user.
pub(crate) async fn unblock(connection: &mut PgConnection, viewer: Uuid, target: Uuid) -> Result<bool> {
    let removed = sqlx::query("delete from blocks where blocker_id = $1 and blocked_id = $2")
        .bind(viewer)
        .bind(target)
        .execute(&mut *connection)
        .await?;
    Ok(removed.rows_affected() > 0 || profiles::is_known(connection, viewer, target).await?)
}

async fn exists(connection: &mut PgConnection, blocker: Uuid, blocked: Uuid) -> Result<bool> {
    Ok(
        sqlx::query_scalar("select exists (select from blocks where blocker_id = $1 and blocked_id = $2)")
            .bind(blocker)
            .bind(blocked)
            .fetch_one(connection)
            .await?,
    )
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
