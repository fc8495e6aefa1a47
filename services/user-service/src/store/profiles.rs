//! Profiles.

use nova_service::{DatabaseError, Timestamp};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::{Result, backlog, deletion, told};
use crate::domain::{Profile, ProfileChange, Relationship, UserRef};

/// Whether an account has a profile, and whether it was deleted.
pub(crate) async fn state(connection: &mut PgConnection, id: Uuid) -> Result<(bool, bool)> {
    Ok(sqlx::query_as(
        "select exists (select from profiles where id = $1),
                exists (select from deleted_accounts where account_id = $1)",
    )
    .bind(id)
    .fetch_one(connection)
    .await?)
}

/// Makes an empty profile; members that do so at the same time do not disturb each other. `false` if the account was deleted.
pub(crate) async fn create(connection: &mut PgConnection, id: Uuid) -> Result<bool> {
    // Against a deletion at the same time: either it sees this profile, or this sees it.
    deletion::lock(connection, id).await?;
    if deletion::is_deleted(connection, id).await? {
        return Ok(false);
    }
    let made = sqlx::query("insert into profiles (id) values ($1) on conflict (id) do nothing")
        .bind(id)
        .execute(&mut *connection)
        .await?;
    if made.rows_affected() > 0 {
        told::profile(connection, id).await?;
    }
    Ok(true)
}

/// The id behind what stands in a path. An id is taken as it is: what is done with it finds out whether it exists.
pub(crate) async fn resolve(connection: &mut PgConnection, viewer: Uuid, user: &UserRef) -> Result<Option<Uuid>> {
    match user {
        UserRef::Me => Ok(Some(viewer)),
        UserRef::Id(id) => Ok(Some(*id)),
        UserRef::Name(name) => Ok(sqlx::query_scalar("select id from profiles where username = $1")
            .bind(name.as_str())
            .fetch_optional(connection)
            .await?),
    }
}

/// Whether the viewer may see what the account wrote and whom it knows.
pub(crate) async fn is_open(connection: &mut PgConnection, viewer: Uuid, id: Uuid) -> Result<bool> {
    Ok(sqlx::query_scalar(concat!(
        "select exists (select from profiles a where a.id = $2 and ",
        open_to_viewer!(),
        ")"
    ))
    .bind(viewer)
    .bind(id)
    .fetch_one(connection)
    .await?)
}

/// Whether the account has a profile, whoever may see it.
pub(crate) async fn exists(connection: &mut PgConnection, id: Uuid) -> Result<bool> {
    Ok(sqlx::query_scalar("select exists (select from profiles where id = $1)")
        .bind(id)
        .fetch_one(connection)
        .await?)
}

/// A profile with how the viewer and it stand to each other.
pub(crate) async fn get(connection: &mut PgConnection, viewer: Uuid, id: Uuid) -> Result<Option<Profile>> {
    let row: Option<ProfileRow> = sqlx::query_as(concat!(
        "select a.id, a.username, a.display_name, a.bio, a.private, a.followers_count, a.following_count, a.created_at,
                coalesce((select posts_count from author_activity where author_id = a.id), 0)
                    + (select count(*) from author_deltas where author_id = a.id) as posts_count,
                exists (select from follows where follower_id = $1 and followee_id = a.id) as following,
                exists (select from follows where follower_id = a.id and followee_id = $1) as followed_by,
                exists (select from follow_requests where requester_id = $1 and target_id = a.id) as requested
         from profiles a where a.id = $2 and ",
        not_blocked!()
    ))
    .bind(viewer)
    .bind(id)
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| row.into_profile(viewer)))
}

/// Changes a profile. One that turns public accepts everyone who asked to follow it: the first of them here, the others soon.
pub(crate) async fn update(
    connection: &mut PgConnection,
    id: Uuid,
    change: &ProfileChange,
    max_following: i64,
) -> Result<()> {
    if let Some(private) = change.private {
        backlog::turn(connection, id, !private, max_following).await?;
    }
    sqlx::query(
        "update profiles
         set username = coalesce($2, username), display_name = coalesce($3, display_name), bio = coalesce($4, bio),
             private = coalesce($5, private)
         where id = $1",
    )
    .bind(id)
    .bind(change.username.as_ref().map(|name| name.as_str()))
    .bind(&change.display_name)
    .bind(&change.bio)
    .bind(change.private)
    .execute(&mut *connection)
    .await?;
    told::profile(connection, id).await
}

/// Whether the error says that another account has the username.
pub(crate) fn is_username_taken(error: &DatabaseError) -> bool {
    error.constraint() == Some("profiles_username_key")
}

#[derive(FromRow)]
struct ProfileRow {
    id: Uuid,
    username: Option<String>,
    display_name: String,
    bio: String,
    private: bool,
    followers_count: i64,
    following_count: i64,
    posts_count: i64,
    created_at: Timestamp,
    following: bool,
    followed_by: bool,
    requested: bool,
}

impl ProfileRow {
    fn into_profile(self, viewer: Uuid) -> Profile {
        let relationship = Relationship {
            following: self.following,
            requested: self.requested,
            followed_by: self.followed_by,
        };
        Profile {
            relationship: (self.id != viewer).then_some(relationship),
            id: self.id,
            username: self.username,
            display_name: self.display_name,
            bio: self.bio,
            private: self.private,
            followers_count: self.followers_count,
            following_count: self.following_count,
            posts_count: self.posts_count,
            created_at: self.created_at,
        }
    }
}
