//! What auth-service knows of an account: asked for within a budget of its own, and gone on without.

use std::time::Duration;

use axum::http::StatusCode;
use nova_service::{CallError, Caller, Client, OwnTokenError, ServiceTokens, Timestamp};
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::domain::{Account, AccountSession};

/// Profiles that were answered without their account, by reason.
const MISSING: &str = "nova_users_account_missing_total";
/// auth-service keeps no more sessions of an account.
const MOST_SESSIONS: usize = 100;
/// Longer than any address.
const LONGEST_EMAIL: usize = 320;

/// Asks auth-service. Cloning is cheap.
#[derive(Clone, Debug)]
pub(crate) struct Accounts {
    auth: Client,
    tokens: ServiceTokens,
    timeout: Duration,
}

/// Why there is no account. Every reason is answered alike: the profile goes without it.
enum Missing {
    Late,
    Token(OwnTokenError),
    Call(CallError),
    Refused(StatusCode),
    Nonsense,
}

#[derive(Deserialize)]
struct Details {
    id: Uuid,
    email: String,
    created_at: Timestamp,
    sessions: Vec<Session>,
}

#[derive(Deserialize)]
struct Session {
    id: Uuid,
    created_at: Timestamp,
    last_used_at: Timestamp,
    expires_at: Timestamp,
    address: Option<String>,
    user_agent: Option<String>,
}

impl Accounts {
    /// Asks `auth` with these tokens; an answer may take `timeout`, the token's included.
    pub(crate) fn new(auth: Client, tokens: ServiceTokens, timeout: Duration) -> Self {
        Self { auth, tokens, timeout }
    }

    /// The caller's account; `None` when auth-service did not give it in time.
    pub(crate) async fn of(&self, caller: &Caller) -> Option<Account> {
        let deadline = Instant::now() + self.timeout;
        let fetched = match timeout_at(deadline, self.fetch(caller.account, deadline)).await {
            Ok(fetched) => fetched,
            Err(_) => Err(Missing::Late),
        };
        match fetched {
            Ok(details) => Some(details.into_account(caller.session)),
            Err(missing) => {
                missing.note();
                None
            }
        }
    }

    async fn fetch(&self, account: Uuid, deadline: Instant) -> Result<Details, Missing> {
        let left = || deadline.saturating_duration_since(Instant::now());
        let token = self.tokens.get(left()).await.map_err(Missing::Token)?;
        let answer = self
            .auth
            .get(&format!("/api/v1/internal/accounts/{account}"))
            .bearer(&token)
            .timeout(left())
            .send()
            .await
            .map_err(Missing::Call)?;
        if answer.status == StatusCode::UNAUTHORIZED {
            self.tokens.forget(&token);
        }
        if answer.status != StatusCode::OK {
            return Err(Missing::Refused(answer.status));
        }
        let details: Details = answer.json().map_err(|_| Missing::Nonsense)?;
        if details.id != account || details.email.is_empty() || details.email.len() > LONGEST_EMAIL {
            return Err(Missing::Nonsense);
        }
        Ok(details)
    }
}

impl Details {
    fn into_account(self, current: Uuid) -> Account {
        let sessions = self
            .sessions
            .into_iter()
            .take(MOST_SESSIONS)
            .map(|session| AccountSession {
                id: session.id,
                created_at: session.created_at,
                last_used_at: session.last_used_at,
                expires_at: session.expires_at,
                address: session.address,
                user_agent: session.user_agent,
                current: session.id == current,
            });
        Account {
            email: self.email,
            created_at: self.created_at,
            sessions: sessions.collect(),
        }
    }
}

impl Missing {
    /// Counts it. The client of auth-service tells of an outage; here one line a request would flood the log.
    fn note(&self) {
        let reason = match self {
            Self::Late | Self::Token(OwnTokenError::Late) => "late",
            Self::Token(_) => "token",
            Self::Call(_) => "call",
            Self::Refused(_) => "refused",
            Self::Nonsense => "nonsense",
        };
        metrics::counter!(MISSING, "reason" => reason).increment(1);
        match self {
            Self::Token(error) => tracing::debug!(%error, reason, "profile answered without its account"),
            Self::Call(error) => tracing::debug!(%error, reason, "profile answered without its account"),
            Self::Refused(status) => tracing::debug!(%status, reason, "profile answered without its account"),
            Self::Late | Self::Nonsense => tracing::debug!(reason, "profile answered without its account"),
        }
    }
}
