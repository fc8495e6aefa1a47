//! The token of this service for one thing at another: fetched from the issuer by client credentials (RFC 6749, section 4.4), kept while it is good.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use thiserror::Error;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::scope::Scope;
use crate::config::SecretFile;
use crate::http::Problem;
use crate::{Answer, CallError, Client};

/// Where the issuer gives tokens.
const PATH: &str = "/api/v1/auth/token";
/// The issuer, as problems name it.
const ISSUER: &str = "auth-service";
/// A token is replaced this long before it expires: it must not expire on its way, nor by a clock that is ahead.
const MARGIN: Duration = Duration::from_secs(30);
/// No token is kept for longer, whatever the issuer says of its life.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// Why this service has no token of its own. Nothing was sent to whom the token was for.
#[derive(Debug, Error)]
pub enum OwnTokenError {
    /// The issuer did not give one.
    #[error("auth-service gave no service token")]
    Call(#[source] CallError),
    /// The issuer answered something else than a token.
    #[error("auth-service answered something that is no service token: {0}")]
    Nonsense(&'static str),
    /// It took longer than the call may take.
    #[error("auth-service gave no service token in time")]
    Late,
}

impl From<OwnTokenError> for Problem {
    fn from(error: OwnTokenError) -> Self {
        tracing::debug!(%error, "no service token");
        Self::dependency_unavailable(ISSUER)
    }
}

/// Gives the service its own token for calls to one other service, for one thing to be done there. Cloning is cheap; all clones share
/// the token.
#[derive(Clone)]
pub struct ServiceTokens {
    inner: Arc<Inner>,
}

struct Inner {
    name: &'static str,
    secret: SecretString,
    audience: &'static str,
    scope: &'static str,
    issuer: Client,
    held: Mutex<Option<Held>>,
    /// Whoever holds it fetches; the others wait for what it brings.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Held {
    token: Arc<str>,
    good_until: Instant,
}

#[derive(Deserialize)]
struct Given {
    access_token: String,
    token_type: String,
    expires_in: u64,
}

impl ServiceTokens {
    /// Tokens of the service `name`, whose secret is this, for `S`, from the issuer that `issuer` calls. Nothing is fetched yet.
    pub fn new<S: Scope>(name: &'static str, secret: &SecretFile, issuer: Client) -> Self {
        let inner = Inner {
            name,
            secret: secret.secret().clone(),
            audience: S::AUDIENCE,
            scope: S::NAME,
            issuer,
            held: Mutex::new(None),
            fetching: tokio::sync::Mutex::new(()),
        };
        Self { inner: Arc::new(inner) }
    }

    /// A token that is good for a while, within this time: the one at hand, or a new one. Of many that ask at once, one
    /// fetches.
    pub async fn get(&self, within: Duration) -> Result<Arc<str>, OwnTokenError> {
        if let Some(token) = self.inner.held() {
            return Ok(token);
        }
        let deadline = Instant::now() + within;
        let getting = async {
            let _fetching = self.inner.fetching.lock().await;
            // Fetched by someone else meanwhile.
            if let Some(token) = self.inner.held() {
                return Ok(token);
            }
            self.inner.fetch(deadline).await
        };
        timeout_at(deadline, getting).await.map_err(|_| OwnTokenError::Late)?
    }

    /// Forgets a token that was refused by whom it was shown to; the next [`Self::get`] fetches another.
    pub fn forget(&self, token: &str) {
        self.inner.lock().take_if(|held| &*held.token == token);
    }
}

impl Inner {
    fn held(&self) -> Option<Arc<str>> {
        let held = self.lock();
        let held = held.as_ref().filter(|held| Instant::now() < held.good_until)?;
        Some(held.token.clone())
    }

    async fn fetch(&self, deadline: Instant) -> Result<Arc<str>, OwnTokenError> {
        let asked = Instant::now();
        let answer = self
            .issuer
            .post(PATH)
            .basic(self.name, self.secret.expose_secret())
            // A second token instead of the first does no harm, so the call may be repeated although it is a POST.
            .idempotency_key(&Uuid::new_v4().to_string())
            .form(&[
                ("grant_type", "client_credentials"),
                ("audience", self.audience),
                ("scope", self.scope),
            ])
            .timeout(deadline.saturating_duration_since(asked))
            .send()
            .await
            .and_then(Answer::success)
            .map_err(OwnTokenError::Call)?;
        let answer: Given = answer
            .json()
            .map_err(|_| OwnTokenError::Nonsense("not the JSON of one"))?;
        // It becomes part of a header.
        if answer.access_token.is_empty() || !answer.access_token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(OwnTokenError::Nonsense("not printable"));
        }
        if !answer.token_type.eq_ignore_ascii_case("bearer") {
            return Err(OwnTokenError::Nonsense("not a bearer token"));
        }
        let life = Duration::from_secs(answer.expires_in).min(LONGEST);
        let held = Held {
            token: answer.access_token.into(),
            // One that lives shorter than the margin serves this call alone.
            good_until: asked + life.saturating_sub(MARGIN),
        };
        let token = held.token.clone();
        *self.lock() = Some(held);
        Ok(token)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Held>> {
        // The value is whole at every moment, whoever panicked.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for ServiceTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServiceTokens")
            .field("name", &self.inner.name)
            .field("scope", &self.inner.scope)
            .finish_non_exhaustive()
    }
}
