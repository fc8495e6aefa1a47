//! Profiles as clients see them.

use nova_service::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::username::Username;

/// An account's profile.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Profile {
    pub(crate) id: Uuid,
    /// Unique; null until its owner chose one.
    #[schema(required, example = "ada")]
    pub(crate) username: Option<String>,
    #[schema(example = "Ada Lovelace")]
    pub(crate) display_name: String,
    pub(crate) bio: String,
    /// Whether following needs the owner's consent, and posts are for followers only.
    pub(crate) private: bool,
    pub(crate) followers_count: i64,
    pub(crate) following_count: i64,
    pub(crate) posts_count: i64,
    pub(crate) created_at: Timestamp,
    /// How the viewer and this account stand to each other; absent in one's own profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) relationship: Option<Relationship>,
}

/// How the viewer and an account stand to each other.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) struct Relationship {
    /// The viewer follows the account.
    pub(crate) following: bool,
    /// The viewer asked to follow the account and waits for its consent.
    pub(crate) requested: bool,
    /// The account follows the viewer.
    pub(crate) followed_by: bool,
}

/// An account in the little that lists and posts show of it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Author {
    pub(crate) id: Uuid,
    /// Unique; null until its owner chose one.
    #[schema(required, example = "ada")]
    pub(crate) username: Option<String>,
    #[schema(example = "Ada Lovelace")]
    pub(crate) display_name: String,
    pub(crate) private: bool,
}

/// An account in a list, and since when it is there.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Listed {
    pub(crate) user: Author,
    pub(crate) since: Timestamp,
    /// What the list is ordered by.
    #[serde(skip)]
    pub(crate) position: Uuid,
}

/// What a follow came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FollowState {
    /// The viewer follows the account now.
    Following,
    /// The account is private; its owner was asked.
    Requested,
}

/// The answer to a follow.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) struct FollowAnswer {
    pub(crate) state: FollowState,
}

/// What to change in a profile; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProfileChange {
    pub(crate) username: Option<Username>,
    pub(crate) display_name: Option<String>,
    pub(crate) bio: Option<String>,
    pub(crate) private: Option<bool>,
}
