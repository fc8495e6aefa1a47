//! Rows of lists of accounts: followers, likes, blocks.

use sqlx::FromRow;
use uuid::Uuid;

use crate::domain::{Author, Listed, made_at};

/// The columns of [`ListedRow`], of the row `a` of `profiles`; the statement adds `position`.
macro_rules! author_columns {
    () => {
        "a.id as author_id, a.username, a.display_name, a.private"
    };
}
pub(super) use author_columns;

#[derive(FromRow)]
pub(super) struct AuthorRow {
    author_id: Uuid,
    username: Option<String>,
    display_name: String,
    private: bool,
}

#[derive(FromRow)]
pub(super) struct ListedRow {
    position: Uuid,
    #[sqlx(flatten)]
    author: AuthorRow,
}

impl From<AuthorRow> for Author {
    fn from(row: AuthorRow) -> Self {
        Self {
            id: row.author_id,
            username: row.username,
            display_name: row.display_name,
            private: row.private,
        }
    }
}

impl From<ListedRow> for Listed {
    fn from(row: ListedRow) -> Self {
        Self {
            user: row.author.into(),
            since: made_at(row.position),
            position: row.position,
        }
    }
}
