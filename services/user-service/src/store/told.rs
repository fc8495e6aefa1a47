//! What others are told of profiles, posts and relations: the whole of it as it is now, in the transaction that changed it, after the
//! change and under its locks, so that the last event is the last state.

use nova_events::topics::graph::{GraphEvent, Relation};
use nova_events::topics::posts::{self, PostEvent};
use nova_events::topics::profiles::{self, ProfileEvent};
use nova_service::{Teller, Timestamp};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::Result;
use crate::domain::made_at;

const TELLER: Teller = Teller::new("/user-service");

#[derive(FromRow)]
struct ProfileRow {
    id: Uuid,
    username: Option<String>,
    display_name: String,
    bio: String,
    private: bool,
    created_at: Timestamp,
}

#[derive(FromRow)]
struct RelationRow {
    of: Uuid,
    to: Uuid,
    follows: bool,
    requested: bool,
    blocks: bool,
}

/// A profile as it is now; nothing when it is gone.
pub(super) async fn profile(connection: &mut PgConnection, id: Uuid) -> Result<()> {
    let row: Option<ProfileRow> =
        sqlx::query_as("select id, username, display_name, bio, private, created_at from profiles where id = $1")
            .bind(id)
            .fetch_optional(&mut *connection)
            .await?;
    let Some(row) = row else { return Ok(()) };
    let changed = profiles::Changed {
        account_id: row.id,
        username: row.username,
        display_name: row.display_name,
        bio: row.bio,
        private: row.private,
        created_at: row.created_at.into(),
    };
    TELLER.emit(connection, &ProfileEvent::from(changed)).await
}

/// A profile is gone.
pub(super) async fn no_profile(connection: &mut PgConnection, id: Uuid) -> Result<()> {
    let removed = profiles::Removed { account_id: id };
    TELLER.emit(connection, &ProfileEvent::from(removed)).await
}

/// A post was written.
pub(super) async fn post(connection: &mut PgConnection, author: Uuid, id: Uuid, text: &str) -> Result<()> {
    let published = posts::Published {
        post_id: id,
        author_id: author,
        text: text.to_owned(),
        created_at: made_at(id).into(),
    };
    TELLER.emit(connection, &PostEvent::from(published)).await
}

/// Posts are gone.
pub(super) async fn no_posts(connection: &mut PgConnection, author: Uuid, ids: &[Uuid]) -> Result<()> {
    let removed = |id: &Uuid| {
        PostEvent::from(posts::Removed {
            post_id: *id,
            author_id: author,
        })
    };
    let events: Vec<PostEvent> = ids.iter().map(removed).collect();
    TELLER.emit_all(connection, &events).await
}

/// How accounts stand to others now, each given as who and to whom.
pub(super) async fn relations(connection: &mut PgConnection, pairs: &[(Uuid, Uuid)]) -> Result<()> {
    if pairs.is_empty() {
        return Ok(());
    }
    let (of, to): (Vec<Uuid>, Vec<Uuid>) = pairs.iter().copied().unzip();
    let rows: Vec<RelationRow> = sqlx::query_as(
        "select pair.of, pair.to,
                exists (select from follows where follower_id = pair.of and followee_id = pair.to) as follows,
                exists (select from follow_requests where requester_id = pair.of and target_id = pair.to) as requested,
                exists (select from blocks where blocker_id = pair.of and blocked_id = pair.to) as blocks
         from (select distinct * from unnest($1::uuid[], $2::uuid[])) as pair (\"of\", \"to\")",
    )
    .bind(of)
    .bind(to)
    .fetch_all(&mut *connection)
    .await?;
    let relation = |row: &RelationRow| {
        GraphEvent::from(Relation {
            from: row.of,
            to: row.to,
            follows: row.follows,
            requested: row.requested,
            blocks: row.blocks,
            mutes: false,
        })
    };
    let events: Vec<GraphEvent> = rows.iter().map(relation).collect();
    TELLER.emit_all(connection, &events).await
}
