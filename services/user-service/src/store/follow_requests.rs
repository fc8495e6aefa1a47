//! Who asked to follow a private account.

use sqlx::PgConnection;
use uuid::Uuid;

use super::listed::{ListedRow, author_columns};
use super::{Result, Slice, follows, pair};
use crate::domain::Listed;

/// Remembers that the requester asked; both profiles are locked.
pub(super) async fn ask(connection: &mut PgConnection, requester: Uuid, target: Uuid) -> Result<()> {
    sqlx::query("insert into follow_requests (id, requester_id, target_id) values ($1, $2, $3) on conflict do nothing")
        .bind(Uuid::now_v7())
        .bind(requester)
        .bind(target)
        .execute(connection)
        .await?;
    Ok(())
}

/// Forgets a request; `false` if there was none.
pub(super) async fn remove(connection: &mut PgConnection, requester: Uuid, target: Uuid) -> Result<bool> {
    let removed = sqlx::query("delete from follow_requests where requester_id = $1 and target_id = $2")
        .bind(requester)
        .bind(target)
        .execute(connection)
        .await?;
    Ok(removed.rows_affected() > 0)
}

/// The owner accepts the requester. `false` if there is nothing to accept and nothing was accepted before.
pub(crate) async fn accept(connection: &mut PgConnection, owner: Uuid, requester: Uuid) -> Result<bool> {
    let Some(pair) = pair::lock(connection, requester, owner).await? else {
        return Ok(false);
    };
    if !remove(connection, requester, owner).await? {
        return Ok(pair.following);
    }
    if !pair.following {
        follows::insert(connection, requester, owner).await?;
    }
    Ok(true)
}

/// The owner rejects the requester, who may be gone already. `false` if the owner may not know of such a user.
pub(crate) async fn reject(connection: &mut PgConnection, owner: Uuid, requester: Uuid) -> Result<bool> {
    match pair::lock(connection, requester, owner).await? {
        Some(pair) if !pair.blocked => {
            remove(connection, requester, owner).await?;
            Ok(true)
        }
        _ => Ok(false),
    }
}

/// Accepts everyone who asked. Whoever asks while this waits for its locks is accepted too.
pub(super) async fn accept_all(connection: &mut PgConnection, owner: Uuid) -> Result<()> {
    sqlx::query(
        "select from profiles
         where id = $1 or id in (select requester_id from follow_requests where target_id = $1)
         order by id for no key update",
    )
    .bind(owner)
    .execute(&mut *connection)
    .await?;
    let accepted: Vec<Uuid> =
        sqlx::query_scalar("delete from follow_requests where target_id = $1 returning requester_id")
            .bind(owner)
            .fetch_all(&mut *connection)
            .await?;
    if accepted.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = accepted.iter().map(|_| Uuid::now_v7()).collect();
    sqlx::query(
        "insert into follows (id, follower_id, followee_id)
         select id, follower_id, $1 from unnest($2::uuid[], $3::uuid[]) as accepted (id, follower_id)",
    )
    .bind(owner)
    .bind(&ids)
    .bind(&accepted)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "update profiles
         set following_count = following_count + case when id = $1 then 0 else 1 end,
             followers_count = followers_count + case when id = $1 then cardinality($2) else 0 end
         where id = $1 or id = any ($2)",
    )
    .bind(owner)
    .bind(&accepted)
    .execute(connection)
    .await?;
    Ok(())
}

/// Who asked to follow the owner, newest first.
pub(crate) async fn list(connection: &mut PgConnection, owner: Uuid, slice: Slice) -> Result<Vec<Listed>> {
    let rows: Vec<ListedRow> = sqlx::query_as(concat!(
        "select r.id as position, ",
        author_columns!(),
        " from follow_requests r join profiles a on a.id = r.requester_id
         where r.target_id = $1 and r.id < $2 order by r.id desc limit $3"
    ))
    .bind(owner)
    .bind(slice.below)
    .bind(slice.rows)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}
