//! Accounts, told by auth-service. State: the last event of an account says all that others may know of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::event::{Payload, events};
use crate::topic::Topic;

/// The topic.
pub const ACCOUNTS: Topic = Topic::state("nova.accounts", 6);

events! {
    /// What happens to accounts.
    AccountEvent of ACCOUNTS:
    /// Somebody registered.
    Registered = "nova.accounts.registered.v1",
    /// It has another e-mail address.
    EmailChanged = "nova.accounts.email_changed.v1",
    /// It is gone, and everything of it is to go.
    Deleted = "nova.accounts.deleted.v1",
}

/// An account that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Registered {
    /// The account.
    #[schemars(with = "String", extend("format" = "uuid"))]
    pub account_id: Uuid,
    /// The address that it logs in with.
    pub email: String,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub created_at: OffsetDateTime,
}

/// An account with another address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EmailChanged {
    /// The account.
    #[schemars(with = "String", extend("format" = "uuid"))]
    pub account_id: Uuid,
    /// The address that it logs in with from now on.
    pub email: String,
    /// When the account was made.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub created_at: OffsetDateTime,
}

/// An account that is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Deleted {
    /// The account.
    #[schemars(with = "String", extend("format" = "uuid"))]
    pub account_id: Uuid,
}

impl Payload for Registered {
    fn subject(&self) -> String {
        self.account_id.to_string()
    }
}

impl Payload for EmailChanged {
    fn subject(&self) -> String {
        self.account_id.to_string()
    }
}

impl Payload for Deleted {
    fn subject(&self) -> String {
        self.account_id.to_string()
    }
}
