//! What every route works with.

use std::{ops::Deref, sync::Arc, time::Duration};

use axum::extract::FromRef;
use nova_service::{Postgres, Problem, TokenVerifier};
use tokio_util::sync::CancellationToken;

use crate::{
    access_token::Signer,
    audit::{Event, Outcome},
    client::Client,
    deletions::Deletions,
    domain::{Email, Password},
    error,
    hashing::{HashError, Hasher, Verdict},
    service_clients::ServiceClients,
    store::{self, sessions::Lifetimes},
    throttle::{Attempt, Throttle},
    unjudged::Unjudged,
};

const CLEAN_EVERY: Duration = Duration::from_secs(600);
const CLEAN_BATCH: i64 = 1_000;

/// The state of the service. Cloning is cheap.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// What it consists of.
pub struct Parts {
    /// Accounts, sessions, audit.
    pub postgres: Postgres,
    /// The verifier of our own tokens.
    pub verifier: TokenVerifier,
    /// Passwords.
    pub hasher: Hasher,
    /// Access tokens.
    pub signer: Arc<Signer>,
    /// Limits of attempts.
    pub throttle: Throttle,
    /// The services that may have tokens.
    pub clients: ServiceClients,
    /// Deleted accounts of which others are told.
    pub deletions: Deletions,
    /// Attempts not written yet.
    pub unjudged: Unjudged,
    /// The rest of the settings.
    pub settings: Settings,
}

/// Settings that routes need.
pub struct Settings {
    /// How long sessions last.
    pub lifetimes: Lifetimes,
    /// How long the audit is kept.
    pub audit_retention: Duration,
    /// How long verifiers may keep the keys without asking again.
    pub keys_max_age: Duration,
    /// Where the keys are.
    pub jwks_url: String,
}

impl App {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Turns an attempt away if there were too many, and records that.
    pub async fn admit(
        &self,
        event: Event,
        attempt: &Attempt<'_>,
        email: Option<&Email>,
        client: &Client,
    ) -> Result<(), Problem> {
        self.throttle.attempt(attempt, client.address).await.map_err(|wait| {
            self.unjudged.count(event, Outcome::Throttled, email, client);
            Problem::too_many_requests(wait)
        })
    }

    /// Checks a password; an attempt that finds the queue full is recorded.
    pub async fn check(
        &self,
        event: Event,
        password: &Password,
        stored: Option<String>,
        email: Option<&Email>,
        client: &Client,
    ) -> Result<Verdict, Problem> {
        let result = self.hasher.verify(password.clone(), stored).await;
        self.noting_overload(event, result, email, client)
    }

    /// Hashes a new password; an attempt that finds the queue full is recorded.
    pub async fn hash(
        &self,
        event: Event,
        password: &Password,
        email: Option<&Email>,
        client: &Client,
    ) -> Result<String, Problem> {
        let result = self.hasher.hash(password.clone()).await;
        self.noting_overload(event, result, email, client)
    }

    fn noting_overload<T>(
        &self,
        event: Event,
        result: Result<T, HashError>,
        email: Option<&Email>,
        client: &Client,
    ) -> Result<T, Problem> {
        result.map_err(|failure| match failure {
            HashError::Busy => {
                self.unjudged.count(event, Outcome::Overloaded, email, client);
                error::overloaded()
            }
            other => other.into(),
        })
    }

    /// Removes expired rows from time to time.
    pub async fn clean(&self, stop: CancellationToken) {
        while stop
            .run_until_cancelled(tokio::time::sleep(CLEAN_EVERY))
            .await
            .is_some()
        {
            if let Err(error) = self.clean_once().await {
                tracing::warn!(error = %error, "expired rows not removed, tried again later");
            }
        }
    }

    /// Removes all rows that have expired, batch by batch.
    pub async fn clean_once(&self) -> Result<(), nova_service::DatabaseError> {
        let full = CLEAN_BATCH.unsigned_abs();
        while store::retention::expired_sessions(self.postgres.primary()?, CLEAN_BATCH).await? == full {}
        let age = self.settings.audit_retention;
        while store::retention::old_audit(self.postgres.primary()?, age, CLEAN_BATCH).await? == full {}
        Ok(())
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl FromRef<App> for TokenVerifier {
    fn from_ref(app: &App) -> Self {
        app.verifier.clone()
    }
}
