//! What is recorded of every attempt to use an account: when, which, from where, with what outcome; never a secret.
//!
//! Attempts that were judged are recorded by the statement that carries them out, before the client hears of it: when the
//! record cannot be written, the attempt did not happen. Attempts that were turned away unjudged (throttled, overloaded, a
//! refresh token that is none, a service's secret) cost the attacker nothing, so they must cost little here: they are counted in bounded memory
//! and written once a second, one row for all alike. A failed write is kept, logged and repeated; only the sudden death of
//! the process loses them, and then at most those of the last second in which the database answered.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use nova_service::Postgres;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{client::Client, domain::Email, store};

/// How many kinds of unjudged attempts are told apart between two writes; the rest is counted together.
const MOST_KINDS: usize = 1_000;
const WRITE_EVERY: Duration = Duration::from_secs(1);

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

/// Unjudged attempts that are alike.
#[derive(Debug, Clone)]
pub struct Counted {
    pub(crate) event: Event,
    pub(crate) outcome: Outcome,
    pub(crate) subject: Option<[u8; 16]>,
    pub(crate) address: Option<IpAddr>,
    pub(crate) user_agent: Option<String>,
    pub(crate) attempts: u64,
}

/// The unjudged attempts that are not written yet.
#[derive(Default)]
pub struct Unjudged(Mutex<HashMap<Kind, Counted>>);

type Kind = (Event, Outcome, Option<[u8; 16]>, Option<IpAddr>);

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

impl Unjudged {
    /// Counts an attempt.
    pub fn count(&self, event: Event, outcome: Outcome, email: Option<&Email>, client: &Client) {
        self.count_of(event, outcome, email.map(Email::digest), client);
    }

    /// Counts an attempt on whatever has this digest.
    pub fn count_of(&self, event: Event, outcome: Outcome, subject: Option<[u8; 16]>, client: &Client) {
        self.add(Counted {
            event,
            outcome,
            subject,
            address: Some(client.address),
            user_agent: client.user_agent.clone(),
            attempts: 1,
        });
    }

    /// Writes what was counted, every second until `stop`, and then once more.
    pub async fn write(&self, postgres: &Postgres, stop: CancellationToken) {
        let mut failing = false;
        while stop
            .run_until_cancelled(tokio::time::sleep(WRITE_EVERY))
            .await
            .is_some()
        {
            failing = self.flush(postgres, failing).await;
        }
        self.flush(postgres, failing).await;
    }

    async fn flush(&self, postgres: &Postgres, was_failing: bool) -> bool {
        let counted: Vec<_> = self.lock().drain().map(|(_, counted)| counted).collect();
        if counted.is_empty() {
            return was_failing;
        }
        let written = match postgres.primary() {
            Ok(pool) => store::audit::insert_counted(pool, &counted).await,
            Err(unavailable) => Err(unavailable.into()),
        };
        let Err(error) = written else { return false };
        if !was_failing {
            tracing::error!(error = %error, rows = counted.len(), "audit rows not written, kept for later");
        }
        counted.into_iter().for_each(|counted| self.add(counted));
        true
    }

    fn add(&self, mut counted: Counted) {
        let mut kinds = self.lock();
        let mut kind = (counted.event, counted.outcome, counted.subject, counted.address);
        if kinds.len() >= MOST_KINDS && !kinds.contains_key(&kind) {
            kind = (counted.event, counted.outcome, None, None);
            (counted.subject, counted.address, counted.user_agent) = (None, None, None);
        }
        match kinds.get_mut(&kind) {
            Some(same) => same.attempts += counted.attempts,
            None => {
                kinds.insert(kind, counted);
            }
        }
        metrics::gauge!("nova_auth_audit_unwritten").set(u32::try_from(kinds.len()).unwrap_or(u32::MAX));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Kind, Counted>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_in_bounded_memory_and_completely() {
        let unjudged = Unjudged::default();
        for number in 0..5_000u32 {
            let address = IpAddr::V4(std::net::Ipv4Addr::from_bits(number));
            let client = Client {
                address,
                user_agent: None,
            };
            unjudged.count(Event::Login, Outcome::Throttled, None, &client);
            unjudged.count(Event::Login, Outcome::Throttled, None, &client);
        }
        let kinds = unjudged.lock();
        assert_eq!(kinds.len(), MOST_KINDS + 1);
        assert_eq!(kinds.values().map(|counted| counted.attempts).sum::<u64>(), 10_000);
    }
}
