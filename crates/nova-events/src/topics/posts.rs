//! Posts, told by user-service. State: a post never changes, it is there or gone.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::event::{Payload, events};
use crate::topic::Topic;

/// The topic.
pub const POSTS: Topic = Topic::state("nova.posts", 12);

events! {
    /// What happens to posts.
    PostEvent of POSTS:
    /// It was written.
    Published = "nova.posts.published.v1",
    /// It is gone.
    Removed = "nova.posts.removed.v1",
}

/// A post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Published {
    /// The post.
    #[schemars(with = "String", extend("format" = "uuid"))]
    pub post_id: Uuid,
    /// Who wrote it.
    #[schemars(with = "String", extend("format" = "uuid"))]
    pub author_id: Uuid,
    /// What it says.
    pub text: String,
    /// When it was written.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub created_at: OffsetDateTime,
}

/// A post that is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Removed {
    /// The post.
    #[schemars(with = "String", extend("format" = "uuid"))]
    pub post_id: Uuid,
    /// Who wrote it.
    #[schemars(with = "String", extend("format" = "uuid"))]
    pub author_id: Uuid,
}

impl Payload for Published {
    fn subject(&self) -> String {
        self.post_id.to_string()
    }
}

impl Payload for Removed {
    fn subject(&self) -> String {
        self.post_id.to_string()
    }
}
