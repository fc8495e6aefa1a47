//! Comments on posts.

use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::counters::{self, Delta};
use super::listed::{AuthorRow, author_columns};
use super::{Result, Slice, posts};
use crate::domain::{Comment, made_at};

/// What came of the wish to delete a comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deletion {
    Done,
    NoSuchComment,
    /// The viewer sees it and neither wrote it nor the post.
    NotTheirs,
}

#[derive(FromRow)]
struct CommentRow {
    id: Uuid,
    post_id: Uuid,
    body: String,
    #[sqlx(flatten)]
    author: AuthorRow,
}

impl From<CommentRow> for Comment {
    fn from(row: CommentRow) -> Self {
        Self {
            id: row.id,
            post_id: row.post_id,
            author: row.author.into(),
            text: row.body,
            created_at: made_at(row.id),
        }
    }
}

/// Comments on the post; `None` if the viewer may not see it.
pub(crate) async fn create(
    connection: &mut PgConnection,
    viewer: Uuid,
    post: Uuid,
    text: &str,
) -> Result<Option<Comment>> {
    if !posts::hold(connection, viewer, post).await? {
        return Ok(None);
    }
    let id = Uuid::now_v7();
    sqlx::query("insert into comments (id, post_id, author_id, body) values ($1, $2, $3, $4)")
        .bind(id)
        .bind(post)
        .bind(viewer)
        .bind(text)
        .execute(&mut *connection)
        .await?;
    count(connection, post, 1).await?;
    let row: CommentRow = sqlx::query_as(concat!(
        "select c.id, c.post_id, c.body, ",
        author_columns!(),
        " from comments c join profiles a on a.id = c.author_id where c.id = $1"
    ))
    .bind(id)
    .fetch_one(connection)
    .await?;
    Ok(Some(row.into()))
}

/// Deletes a comment, as its author or as the author of the post. What is theirs is theirs whether they still see it or not:
/// after a block, or when the post's author turned private or is being deleted.
pub(crate) async fn delete(connection: &mut PgConnection, viewer: Uuid, id: Uuid) -> Result<Deletion> {
    let found: Option<(Uuid, bool, bool)> = sqlx::query_as(concat!(
        "select c.post_id, $1 in (c.author_id, p.author_id), ",
        not_blocked!(),
        " from comments c join profiles a on a.id = c.author_id join posts p on p.id = c.post_id where c.id = $2"
    ))
    .bind(viewer)
    .bind(id)
    .fetch_optional(&mut *connection)
    .await?;
    let Some((post, theirs, author_known)) = found else {
        return Ok(Deletion::NoSuchComment);
    };
    if !theirs {
        let seen = author_known && posts::is_visible(connection, viewer, post).await?;
        return Ok(if seen {
            Deletion::NotTheirs
        } else {
            Deletion::NoSuchComment
        });
    }
    if !posts::hold_any(connection, post).await? {
        return Ok(Deletion::NoSuchComment);
    }
    let deleted = sqlx::query("delete from comments where id = $1")
        .bind(id)
        .execute(&mut *connection)
        .await?;
    if deleted.rows_affected() == 0 {
        return Ok(Deletion::NoSuchComment);
    }
    count(connection, post, -1).await?;
    Ok(Deletion::Done)
}

async fn count(connection: &mut PgConnection, post: Uuid, by: i32) -> Result<()> {
    let by = Delta {
        comments: by,
        ..Delta::default()
    };
    counters::post(connection, post, by).await
}

/// A post's comments, newest first, without those of people that the viewer may not know of.
pub(crate) async fn list(
    connection: &mut PgConnection,
    viewer: Uuid,
    post: Uuid,
    slice: Slice,
) -> Result<Vec<Comment>> {
    let rows: Vec<CommentRow> = sqlx::query_as(concat!(
        "select c.id, c.post_id, c.body, ",
        author_columns!(),
        " from comments c join profiles a on a.id = c.author_id
         where c.post_id = $2 and c.id < $3 and ",
        not_blocked!(),
        " order by c.id desc limit $4"
    ))
    .bind(viewer)
    .bind(post)
    .bind(slice.below)
    .bind(slice.rows)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}
