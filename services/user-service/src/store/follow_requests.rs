//! Who asked to follow a private account.

use sqlx::PgConnection;
use uuid::Uuid;

use super::listed::{ListedRow, author_columns};
use super::{Result, Slice, pair, told};
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

/// What came of the wish to accept someone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acceptance {
    Done,
    /// There is nothing to accept, and nothing was accepted before.
    NoSuchRequest,
    /// Who asked follows as many as they may. The request stays.
    LimitReached,
}

/// The owner accepts the requester.
pub(crate) async fn accept(
    connection: &mut PgConnection,
    owner: Uuid,
    requester: Uuid,
    max_following: i64,
) -> Result<Acceptance> {
    let Some(pair) = pair::lock(connection, requester, owner).await? else {
        return Ok(Acceptance::NoSuchRequest);
    };
    if pair.following {
        remove(connection, requester, owner).await?;
        return Ok(Acceptance::Done);
    }
    if !asked(connection, requester, owner).await? {
        return Ok(Acceptance::NoSuchRequest);
    }
    if pair.viewer_follows >= max_following {
        return Ok(Acceptance::LimitReached);
    }
    remove(connection, requester, owner).await?;
    pair::follow(connection, requester, owner).await?;
    told::relations(connection, &[(requester, owner)]).await?;
    Ok(Acceptance::Done)
}

/// Whether the requester has asked.
pub(super) async fn asked(connection: &mut PgConnection, requester: Uuid, target: Uuid) -> Result<bool> {
    Ok(
        sqlx::query_scalar("select exists (select from follow_requests where requester_id = $1 and target_id = $2)")
            .bind(requester)
            .bind(target)
            .fetch_one(connection)
            .await?,
    )
}

/// How many requests of an account wait for an answer; counted up to `most`.
pub(super) async fn waiting(connection: &mut PgConnection, requester: Uuid, most: i64) -> Result<i64> {
    Ok(sqlx::query_scalar(
        "select count(*) from (select from follow_requests where requester_id = $1 limit $2) as waiting",
    )
    .bind(requester)
    .bind(most)
    .fetch_one(connection)
    .await?)
}

/// The owner rejects the requester, who may be gone already. `false` if the owner may not know of such a user.
pub(crate) async fn reject(connection: &mut PgConnection, owner: Uuid, requester: Uuid) -> Result<bool> {
    match pair::lock(connection, requester, owner).await? {
        Some(pair) if !pair.blocked => {
            if remove(connection, requester, owner).await? {
                told::relations(connection, &[(requester, owner)]).await?;
            }
            Ok(true)
        }
        _ => Ok(false),
    }
}

/// Accepts those who asked first, up to `most`; whether others are left. Who follows as many as they may is not accepted, and
/// need not be: nobody has to ask a public account.
pub(super) async fn accept_some(
    connection: &mut PgConnection,
    owner: Uuid,
    most: i64,
    max_following: i64,
) -> Result<bool> {
    let asked: Vec<Uuid> =
        sqlx::query_scalar("select requester_id from follow_requests where target_id = $1 order by id limit $2")
            .bind(owner)
            .bind(most)
            .fetch_all(&mut *connection)
            .await?;
    let room: Vec<(Uuid, bool)> = sqlx::query_as(
        "select id, following_count < $3 from profiles where id = $1 or id = any ($2) order by id for no key update",
    )
    .bind(owner)
    .bind(&asked)
    .bind(max_following)
    .fetch_all(&mut *connection)
    .await?;
    let decided: Vec<Uuid> = sqlx::query_scalar(
        "delete from follow_requests where target_id = $1 and requester_id = any ($2) returning requester_id",
    )
    .bind(owner)
    .bind(&asked)
    .fetch_all(&mut *connection)
    .await?;
    let mut accepted = decided.clone();
    accepted.retain(|requester| room.contains(&(*requester, true)));
    let ids: Vec<Uuid> = accepted.iter().map(|_| Uuid::now_v7()).collect();
    let accepted: Vec<Uuid> = sqlx::query_scalar(
        "insert into follows (id, follower_id, followee_id)
         select id, follower_id, $1 from unnest($2::uuid[], $3::uuid[]) as accepted (id, follower_id)
         on conflict do nothing returning follower_id",
    )
    .bind(owner)
    .bind(&ids)
    .bind(&accepted)
    .fetch_all(&mut *connection)
    .await?;
    sqlx::query(
        "update profiles
         set following_count = following_count + case when id = $1 then 0 else 1 end,
             followers_count = followers_count + case when id = $1 then cardinality($2) else 0 end
         where id = $1 or id = any ($2)",
    )
    .bind(owner)
    .bind(&accepted)
    .execute(&mut *connection)
    .await?;
    let pairs: Vec<(Uuid, Uuid)> = decided.iter().map(|requester| (*requester, owner)).collect();
    told::relations(connection, &pairs).await?;
    // The owner is locked, so this is not overtaken by another request.
    Ok(
        sqlx::query_scalar("select exists (select from follow_requests where target_id = $1)")
            .bind(owner)
            .fetch_one(connection)
            .await?,
    )
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
