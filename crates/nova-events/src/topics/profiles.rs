//! Profiles, told by user-service. State: each event has the whole profile.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::event::{Payload, events};
use crate::topic::Topic;

/// The topic.
pub const PROFILES: Topic = Topic::state("nova.profiles", 6);

events! {
    /// What happens to profiles.
    ProfileEvent of PROFILES:
    /// It was made or changed.
    Changed = "nova.profiles.changed.v1",
    /// It is gone.
    Removed = "nova.profiles.removed.v1",
}

/// A profile as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Changed {
    /// Whose.
    #[schemars(with = "String", extend("format" = "uuid"))]
    pub account_id: Uuid,
    /// Unique; none until its owner chose one.
    pub username: Option<String>,
    /// As others see it.
    pub display_name: String,
    /// What they say of themselves.
    pub bio: String,
    /// Whether posts and lists are for followers only.
    pub private: bool,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub created_at: OffsetDateTime,
}

/// A profile that is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Removed {
    /// Whose it was.
    #[schemars(with = "String", extend("format" = "uuid"))]
    pub account_id: Uuid,
}

impl Payload for Changed {
    fn subject(&self) -> String {
        self.account_id.to_string()
    }
}

impl Payload for Removed {
    fn subject(&self) -> String {
        self.account_id.to_string()
    }
}
