//! Posts and comments as clients see them.

use nova_service::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::profile::Author;

/// A post.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Post {
    pub(crate) id: Uuid,
    pub(crate) author: Author,
    pub(crate) text: String,
    pub(crate) created_at: Timestamp,
    pub(crate) likes_count: i64,
    /// All comments, also those that the viewer does not see because of a block.
    pub(crate) comments_count: i64,
    /// Whether the viewer likes it.
    pub(crate) liked: bool,
}

/// A comment on a post.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Comment {
    pub(crate) id: Uuid,
    pub(crate) post_id: Uuid,
    pub(crate) author: Author,
    pub(crate) text: String,
    pub(crate) created_at: Timestamp,
}
