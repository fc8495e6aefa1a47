//! Tokens of the issuer (ES256): accounts' and services', verified with local keys so that the issuer is not asked for each
//! request, and the service's own, fetched when it calls another.

mod cache;
mod claims;
mod own;
mod remote;
mod scope;
mod service;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use jsonwebtoken::DecodingKey;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

pub use claims::{ACCESS_TOKEN_TYPE, AccessClaims, Audience};
pub use own::{OwnTokenError, ServiceTokens};
pub use scope::{EraseAccounts, ReadAccounts, Scope};
pub use service::{Granted, SERVICE_TOKEN_TYPE, ServiceCaller, ServiceClaims};

use crate::Client;
use crate::config::{CallsConfig, IdentityConfig};
use crate::http::{Caller, Problem, Timestamp, codes};
use crate::service::{PartState, Unavailable};
use cache::{Cache, Remembered};
use claims::{Access, Expected, Kind};
use remote::Remote;
use service::ServiceAccess;

/// Clocks of two machines differ by less than this many seconds.
const LEEWAY: i64 = 5;
/// An access token has about 400 bytes; more is not read.
const LONGEST: usize = 4096;

/// Why a token was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TokenError {
    /// Not a token, not signed by the issuer, or not meant for this audience.
    #[error("the access token is not valid")]
    Invalid,
    /// It was valid once.
    #[error("the access token has expired")]
    Expired,
    /// The issuer's keys are not known yet.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Invalid => Self::new(&codes::INVALID_TOKEN),
            TokenError::Expired => Self::new(&codes::TOKEN_EXPIRED),
            TokenError::Unavailable(unavailable) => unavailable.into(),
        }
    }
}

/// Verifies tokens of accounts and of services. Cloning is cheap; all clones share keys and memory of verified tokens.
#[derive(Clone)]
pub struct TokenVerifier {
    inner: Arc<Inner>,
}

struct Inner {
    expected: Expected,
    keys: RwLock<Keys>,
    accounts: Cache<Caller>,
    services: Cache<ServiceCaller>,
    state: PartState,
    remote: Option<Remote>,
}

type Keys = HashMap<String, DecodingKey>;

impl TokenVerifier {
    /// Verifies with keys that are given by [`Self::set_keys`]; for the issuer itself. `service` is the name of the service that
    /// verifies: tokens of other services are accepted when they are meant for it.
    pub fn local(issuer: &str, audience: &str, service: &'static str) -> Self {
        Self::build(issuer, audience, service, None)
    }

    /// Verifies with the keys that the issuer publishes; hand it to [`crate::Service::identity`], which fetches them. `service` as in
    /// [`Self::local`].
    ///
    /// # Errors
    /// When the settings of calls make no sense together.
    pub fn remote(config: &IdentityConfig, calls: &CallsConfig, service: &'static str) -> anyhow::Result<Self> {
        let remote = Remote::new(config, calls)?;
        Ok(Self::build(&config.issuer, &config.audience, service, Some(remote)))
    }

    fn build(issuer: &str, audience: &str, service: &'static str, remote: Option<Remote>) -> Self {
        let expected = Expected {
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            service,
        };
        let inner = Inner {
            expected,
            keys: RwLock::default(),
            accounts: Cache::new(),
            services: Cache::new(),
            state: PartState::new("identity"),
            remote,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Replaces the keys, by their ids. Tokens of a key that is gone are no longer accepted.
    pub fn set_keys(&self, keys: impl IntoIterator<Item = (String, DecodingKey)>) {
        let keys: Keys = keys.into_iter().collect();
        let mut present = self.inner.keys.write().unwrap_or_else(PoisonError::into_inner);
        if present.keys().any(|kid| !keys.contains_key(kid)) {
            self.inner.accounts.clear();
            self.inner.services.clear();
        }
        *present = keys;
    }

    /// Which account this access token is of. A token that was verified before costs a look-up.
    pub async fn verify(&self, token: &str) -> Result<Caller, TokenError> {
        self.verify_kind::<Access>(token, &self.inner.accounts).await
    }

    /// Which service this service token is of; an account's token is none.
    pub async fn verify_service(&self, token: &str) -> Result<ServiceCaller, TokenError> {
        self.verify_kind::<ServiceAccess>(token, &self.inner.services).await
    }

    async fn verify_kind<K>(&self, token: &str, cache: &Cache<K::Bearer>) -> Result<K::Bearer, TokenError>
    where
        K: Kind<Bearer: Remembered>,
    {
        match self.verify_now::<K>(token, cache) {
            Err(Refusal::UnknownKey) => {}
            Err(Refusal::Token(error)) => return Err(error),
            Ok(bearer) => return Ok(bearer),
        }
        if let Some(remote) = &self.inner.remote {
            remote.fetch_for_unknown(self).await;
        }
        self.verify_now::<K>(token, cache)
            .map_err(|refusal| self.final_error(&refusal))
    }

    fn verify_now<K>(&self, token: &str, cache: &Cache<K::Bearer>) -> Result<K::Bearer, Refusal>
    where
        K: Kind<Bearer: Remembered>,
    {
        if token.len() > LONGEST {
            return Err(Refusal::Token(TokenError::Invalid));
        }
        let digest = cache::digest(token);
        if let Some(bearer) = cache.get(&digest) {
            return Ok(bearer);
        }
        let keys = self.inner.keys.read().unwrap_or_else(PoisonError::into_inner);
        let bearer = claims::check::<K>(token, &keys, &self.inner.expected)?;
        // Still under the lock of the keys, so that a key withdrawn at this moment leaves nothing behind.
        cache.put(digest, bearer.clone());
        Ok(bearer)
    }

    fn final_error(&self, refusal: &Refusal) -> TokenError {
        match refusal {
            Refusal::Token(error) => *error,
            Refusal::UnknownKey => {
                let no_keys = self
                    .inner
                    .keys
                    .read()
                    .unwrap_or_else(PoisonError::into_inner)
                    .is_empty();
                if no_keys {
                    Unavailable::new(self.inner.state.name()).into()
                } else {
                    TokenError::Invalid
                }
            }
        }
    }

    /// The state of the issuer, for readiness; `None` for a local verifier.
    pub(crate) fn state(&self) -> Option<&PartState> {
        self.inner.remote.is_some().then_some(&self.inner.state)
    }

    /// What fetches the keys, for its settings and metrics; `None` for a local verifier.
    pub(crate) fn client(&self) -> Option<&Client> {
        self.inner.remote.as_ref().map(Remote::client)
    }

    /// Fetches the issuer's keys now and then, and when asked for, until `stop`.
    pub(crate) async fn watch(self, stop: CancellationToken) {
        if let Some(remote) = &self.inner.remote {
            stop.run_until_cancelled(remote.keep_keys(&self)).await;
        }
    }
}

impl Remembered for Caller {
    fn expires_at(&self) -> Timestamp {
        self.expires_at
    }
}

impl std::fmt::Debug for TokenVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenVerifier").finish_non_exhaustive()
    }
}

/// Why a token did not pass with the keys at hand.
#[derive(Debug)]
enum Refusal {
    UnknownKey,
    Token(TokenError),
}
