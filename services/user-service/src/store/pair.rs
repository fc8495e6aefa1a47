//! Two accounts, locked against any other change of how they stand to each other.

use sqlx::PgConnection;
use uuid::Uuid;

use super::Result;

/// What counts in a change between the viewer and another account. While it is held, it stays true.
pub(super) struct Pair {
    pub(super) target_private: bool,
    pub(super) viewer_follows: i64,
    /// One has blocked the other.
    pub(super) blocked: bool,
    /// The viewer follows the target.
    pub(super) following: bool,
}

/// Locks both profiles until the transaction ends; `None` if the target has none.
pub(super) async fn lock(connection: &mut PgConnection, viewer: Uuid, target: Uuid) -> Result<Option<Pair>> {
    let profiles: Vec<(Uuid, bool, i64)> = sqlx::query_as(
        "select id, private, following_count from profiles where id in ($1, $2) order by id for no key update",
    )
    .bind(viewer)
    .bind(target)
    .fetch_all(&mut *connection)
    .await?;
    let of = |id| profiles.iter().find(|(found, ..)| *found == id);
    let (Some(&(_, _, viewer_follows)), Some(&(_, target_private, _))) = (of(viewer), of(target)) else {
        return Ok(None);
    };
    // A statement of its own: its snapshot is younger than the locks.
    let (blocked, following) = sqlx::query_as(
        "select exists (select from blocks
                        where (blocker_id, blocked_id) = ($1, $2) or (blocker_id, blocked_id) = ($2, $1)),
                exists (select from follows where follower_id = $1 and followee_id = $2)",
    )
    .bind(viewer)
    .bind(target)
    .fetch_one(connection)
    .await?;
    Ok(Some(Pair {
        target_private,
        viewer_follows,
        blocked,
        following,
    }))
}

/// Both profiles are locked, and the follower does not follow yet.
pub(super) async fn follow(connection: &mut PgConnection, follower: Uuid, followee: Uuid) -> Result<()> {
    sqlx::query("insert into follows (id, follower_id, followee_id) values ($1, $2, $3)")
        .bind(Uuid::now_v7())
        .bind(follower)
        .bind(followee)
        .execute(&mut *connection)
        .await?;
    count(connection, follower, followee, 1).await
}

/// Both profiles are locked.
pub(super) async fn unfollow(connection: &mut PgConnection, follower: Uuid, followee: Uuid) -> Result<()> {
    let removed = sqlx::query("delete from follows where follower_id = $1 and followee_id = $2")
        .bind(follower)
        .bind(followee)
        .execute(&mut *connection)
        .await?;
    if removed.rows_affected() > 0 {
        count(connection, follower, followee, -1).await?;
    }
    Ok(())
}

/// Adds to what the follower follows, and to the followers of the followee.
async fn count(connection: &mut PgConnection, follower: Uuid, followee: Uuid, by: i64) -> Result<()> {
    sqlx::query(
        "update profiles
         set following_count = following_count + case when id = $1 then $3 else 0 end,
             followers_count = followers_count + case when id = $2 then $3 else 0 end
         where id in ($1, $2)",
    )
    .bind(follower)
    .bind(followee)
    .bind(by)
    .execute(connection)
    .await?;
    Ok(())
}
