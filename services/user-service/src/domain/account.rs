//! One's own profile together with the account behind it, of which auth-service knows.

use nova_service::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::profile::Profile;

/// One's own profile, and the account behind it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct OwnProfile {
    #[serde(flatten)]
    pub(crate) profile: Profile,
    /// What one logs in with, and where one is logged in; null when auth-service did not answer.
    #[schema(required)]
    pub(crate) account: Option<Account>,
    /// Whether something is missing that would be here at another time; ask again later for it.
    pub(crate) partial: bool,
    /// The names of the members that are missing; empty unless `partial`.
    pub(crate) missing: Vec<Missing>,
}

/// A part of one's own profile that another service has to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Missing {
    /// The account, from auth-service.
    Account,
}

/// The account behind a profile.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Account {
    /// The address that one logs in with.
    #[schema(example = "ada@example.com")]
    pub(crate) email: String,
    /// When the account was made.
    pub(crate) created_at: Timestamp,
    /// Where one is logged in, newest first; 100 at most.
    #[schema(max_items = 100)]
    pub(crate) sessions: Vec<AccountSession>,
}

/// A session of the account.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct AccountSession {
    pub(crate) id: Uuid,
    /// When it began.
    pub(crate) created_at: Timestamp,
    /// When it was last refreshed.
    pub(crate) last_used_at: Timestamp,
    /// When it ends if it is not refreshed before.
    pub(crate) expires_at: Timestamp,
    /// From where it was last refreshed.
    #[schema(required, example = "192.0.2.7")]
    pub(crate) address: Option<String>,
    /// With what it was last refreshed.
    #[schema(required)]
    pub(crate) user_agent: Option<String>,
    /// Whether this request was made in it.
    pub(crate) current: bool,
}

impl OwnProfile {
    /// A profile with its account, or without one that could not be had.
    pub(crate) fn new(profile: Profile, account: Option<Account>) -> Self {
        let missing = if account.is_none() {
            vec![Missing::Account]
        } else {
            Vec::new()
        };
        Self {
            profile,
            account,
            partial: !missing.is_empty(),
            missing,
        }
    }
}
