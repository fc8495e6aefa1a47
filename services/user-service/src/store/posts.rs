//! Posts.

use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::listed::AuthorRow;
use super::{Result, Slice, counters, told};
use crate::domain::{Post, made_at};

/// Selects [`PostRow`]s of posts `p` by authors `a`; the viewer is `$1`. A condition or a join follows.
macro_rules! select_posts {
    () => {
        concat!(
            "select p.id, p.body, ",
            super::counters::likes_count!(),
            " as likes_count, ",
            super::counters::comments_count!(),
            " as comments_count, ",
            super::listed::author_columns!(),
            ", exists (select from likes l where l.post_id = p.id and l.account_id = $1) as liked
             from posts p join post_counters c on c.post_id = p.id join profiles a on a.id = p.author_id "
        )
    };
}
pub(super) use select_posts;

#[derive(FromRow)]
pub(super) struct PostRow {
    id: Uuid,
    #[sqlx(flatten)]
    author: AuthorRow,
    body: String,
    likes_count: i64,
    comments_count: i64,
    liked: bool,
}

impl From<PostRow> for Post {
    fn from(row: PostRow) -> Self {
        Self {
            id: row.id,
            author: row.author.into(),
            text: row.body,
            created_at: made_at(row.id),
            likes_count: row.likes_count,
            comments_count: row.comments_count,
            liked: row.liked,
        }
    }
}

pub(crate) async fn create(connection: &mut PgConnection, author: Uuid, text: &str) -> Result<Uuid> {
    let id = Uuid::now_v7();
    sqlx::query(
        "with post as (insert into posts (id, author_id, body) values ($1, $2, $3))
         insert into post_counters (post_id) values ($1)",
    )
    .bind(id)
    .bind(author)
    .bind(text)
    .execute(&mut *connection)
    .await?;
    counters::published(connection, author, id).await?;
    told::post(connection, author, id, text).await?;
    Ok(id)
}

/// The post, if the viewer may see it.
pub(crate) async fn get(connection: &mut PgConnection, viewer: Uuid, id: Uuid) -> Result<Option<Post>> {
    let row: Option<PostRow> = sqlx::query_as(concat!(select_posts!(), "where p.id = $2 and ", open_to_viewer!()))
        .bind(viewer)
        .bind(id)
        .fetch_optional(connection)
        .await?;
    Ok(row.map(Into::into))
}

/// Whether the viewer may see the post.
pub(crate) async fn is_visible(connection: &mut PgConnection, viewer: Uuid, id: Uuid) -> Result<bool> {
    Ok(sqlx::query_scalar(concat!(
        "select exists (select from posts p join profiles a on a.id = p.author_id where p.id = $2 and ",
        open_to_viewer!(),
        ")"
    ))
    .bind(viewer)
    .bind(id)
    .fetch_one(connection)
    .await?)
}

/// Deletes the author's own post; what hangs on it is out of sight with it and removed by the backlog. `false` if it is not
/// theirs.
pub(crate) async fn delete(connection: &mut PgConnection, author: Uuid, id: Uuid) -> Result<bool> {
    // Waits for whoever counts a post of the same author there, so that the newest one is found below; one that is appended
    // meanwhile is folded in later.
    sqlx::query("select from author_activity where author_id = $1 for no key update")
        .bind(author)
        .execute(&mut *connection)
        .await?;
    let deleted = sqlx::query("delete from posts where id = $1 and author_id = $2")
        .bind(id)
        .bind(author)
        .execute(&mut *connection)
        .await?;
    if deleted.rows_affected() == 0 {
        return Ok(false);
    }
    counters::withdrawn(connection, author, &[id]).await?;
    told::no_posts(connection, author, &[id]).await?;
    Ok(true)
}

/// An author's posts, newest first. Whether the viewer may see them was asked before.
pub(crate) async fn by_author(
    connection: &mut PgConnection,
    viewer: Uuid,
    author: Uuid,
    slice: Slice,
) -> Result<Vec<Post>> {
    let rows: Vec<PostRow> = sqlx::query_as(concat!(
        select_posts!(),
        "where p.author_id = $2 and p.id < $3 order by p.id desc limit $4"
    ))
    .bind(viewer)
    .bind(author)
    .bind(slice.below)
    .bind(slice.rows)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Keeps the post from being deleted until the transaction ends; `false` if the viewer may not see it.
///
/// Taken before anything that hangs on the post is touched, in the order in which a deletion takes its locks.
pub(super) async fn hold(connection: &mut PgConnection, viewer: Uuid, id: Uuid) -> Result<bool> {
    let held = sqlx::query(concat!(
        "select from posts p join profiles a on a.id = p.author_id where p.id = $2 and ",
        open_to_viewer!(),
        " for key share of p"
    ))
    .bind(viewer)
    .bind(id)
    .fetch_optional(connection)
    .await?;
    Ok(held.is_some())
}

/// Likewise, whoever may see it: for what is taken back by whoever made it.
pub(super) async fn hold_any(connection: &mut PgConnection, id: Uuid) -> Result<bool> {
    let held = sqlx::query("select from posts where id = $1 for key share")
        .bind(id)
        .fetch_optional(connection)
        .await?;
    Ok(held.is_some())
}
