//! Who follows whom.

use sqlx::PgConnection;
use uuid::Uuid;

use super::listed::{ListedRow, author_columns};
use super::{Result, Slice, follow_requests, pair, told};
use crate::domain::{FollowState, Listed};

/// What came of the wish to follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Follow {
    Done(FollowState),
    NoSuchUser,
    LimitReached,
}

/// Follows the target, or asks to when it is private. Doing it again changes nothing.
pub(crate) async fn follow(
    connection: &mut PgConnection,
    viewer: Uuid,
    target: Uuid,
    max_following: i64,
) -> Result<Follow> {
    let Some(pair) = pair::lock(connection, viewer, target).await? else {
        return Ok(Follow::NoSuchUser);
    };
    if pair.blocked {
        return Ok(Follow::NoSuchUser);
    }
    if pair.following {
        return Ok(Follow::Done(FollowState::Following));
    }
    let asked = follow_requests::asked(connection, viewer, target).await?;
    if asked && pair.target_private {
        return Ok(Follow::Done(FollowState::Requested));
    }
    // A request is a follow that someone else may begin, so it counts as one.
    let waiting = follow_requests::waiting(connection, viewer, max_following).await? - i64::from(asked);
    if pair.viewer_follows + waiting >= max_following {
        return Ok(Follow::LimitReached);
    }
    if pair.target_private {
        follow_requests::ask(connection, viewer, target).await?;
        told::relations(connection, &[(viewer, target)]).await?;
        return Ok(Follow::Done(FollowState::Requested));
    }
    // The target has turned public since, and not all who had asked are accepted yet.
    if asked {
        follow_requests::remove(connection, viewer, target).await?;
    }
    pair::follow(connection, viewer, target).await?;
    told::relations(connection, &[(viewer, target)]).await?;
    Ok(Follow::Done(FollowState::Following))
}

/// Stops following, or withdraws the request. `false` if there is no such user.
pub(crate) async fn unfollow(connection: &mut PgConnection, viewer: Uuid, target: Uuid) -> Result<bool> {
    let Some(pair) = pair::lock(connection, viewer, target).await? else {
        return Ok(false);
    };
    if pair.blocked {
        return Ok(false);
    }
    if pair.following {
        pair::unfollow(connection, viewer, target).await?;
    }
    let withdrawn = follow_requests::remove(connection, viewer, target).await?;
    if pair.following || withdrawn {
        told::relations(connection, &[(viewer, target)]).await?;
    }
    Ok(true)
}

/// Who follows the account, newest first, without those that the viewer may not know of.
pub(crate) async fn followers(
    connection: &mut PgConnection,
    viewer: Uuid,
    of: Uuid,
    slice: Slice,
) -> Result<Vec<Listed>> {
    let rows: Vec<ListedRow> = sqlx::query_as(concat!(
        "select w.id as position, ",
        author_columns!(),
        " from follows w join profiles a on a.id = w.follower_id
         where w.followee_id = $2 and w.id < $3 and ",
        not_blocked!(),
        " order by w.id desc limit $4"
    ))
    .bind(viewer)
    .bind(of)
    .bind(slice.below)
    .bind(slice.rows)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Whom the account follows, newest first, without those that the viewer may not know of.
pub(crate) async fn following(
    connection: &mut PgConnection,
    viewer: Uuid,
    by: Uuid,
    slice: Slice,
) -> Result<Vec<Listed>> {
    let rows: Vec<ListedRow> = sqlx::query_as(concat!(
        "select w.id as position, ",
        author_columns!(),
        " from follows w join profiles a on a.id = w.followee_id
         where w.follower_id = $2 and w.id < $3 and ",
        not_blocked!(),
        " order by w.id desc limit $4"
    ))
    .bind(viewer)
    .bind(by)
    .bind(slice.below)
    .bind(slice.rows)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}
