//! What is recorded of every attempt to use an account: when, which, from where, with what outcome; never a secret.
//!
//! Attempts that were judged are recorded by the statement that carries them out, before the client hears of it: when the
//! record cannot be written, the attempt did not happen. Attempts that were turned away are counted ([`crate::unjudged`]).

use std::net::IpAddr;

use uuid::Uuid;

use crate::{client::Client, domain::Email};

/// What was attempted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// To make an account.
    Register,
    /// To log in.
    Login,
    /// To refresh a session.
    Refresh,
    /// To log out.
    Logout,
    /// To end a session from another one.
    SessionRevoke,
    /// To change the password.
    PasswordChange,
    /// To delete the account.
    AccountDelete,
    /// A service's, to get a token of its own.
    ServiceToken,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Done.
    Ok,
    /// The password was wrong, or the name or token unknown.
    Failed,
    /// The account exists already.
    Conflict,
    /// A refresh token was used again: the session has ended.
    Reuse,
    /// A refresh token was shown again although the grace was over, and its successor was never used: an answer that was lost, or a
    /// thief who is quicker than the owner.
    Repeated,
    /// Too many attempts.
    Throttled,
    /// Too many passwords were waiting to be checked.
    Overloaded,
}

/// One judged attempt.
#[derive(Debug)]
pub struct Record<'a> {
    pub(crate) event: Event,
    pub(crate) outcome: Outcome,
    pub(crate) account: Option<Uuid>,
    pub(crate) session: Option<Uuid>,
    pub(crate) subject: Option<[u8; 16]>,
    pub(crate) client: &'a Client,
}

impl Event {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Login => "login",
            Self::Refresh => "refresh",
            Self::Logout => "logout",
            Self::SessionRevoke => "session_revoke",
            Self::PasswordChange => "password_change",
            Self::AccountDelete => "account_delete",
            Self::ServiceToken => "service_token",
        }
    }
}

impl Outcome {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Conflict => "conflict",
            Self::Reuse => "reuse",
            Self::Repeated => "repeated",
            Self::Throttled => "throttled",
            Self::Overloaded => "overloaded",
        }
    }
}

impl<'a> Record<'a> {
    /// Without account, session and e-mail address.
    pub fn new(event: Event, outcome: Outcome, client: &'a Client) -> Self {
        Self {
            event,
            outcome,
            account: None,
            session: None,
            subject: None,
            client,
        }
    }

    /// Names the account.
    #[must_use]
    pub fn account(self, account: Uuid) -> Self {
        Self {
            account: Some(account),
            ..self
        }
    }

    /// Names the session.
    #[must_use]
    pub fn session(self, session: Uuid) -> Self {
        Self {
            session: Some(session),
            ..self
        }
    }

    /// Adds a digest of the address that was tried.
    #[must_use]
    pub fn email(self, email: &Email) -> Self {
        Self {
            subject: Some(email.digest()),
            ..self
        }
    }
}

/// Attempts that are alike.
#[derive(Debug, Clone)]
pub struct Counted {
    pub(crate) event: Event,
    pub(crate) outcome: Outcome,
    pub(crate) subject: Option<[u8; 16]>,
    pub(crate) address: Option<IpAddr>,
    pub(crate) user_agent: Option<String>,
    pub(crate) attempts: u64,
}
