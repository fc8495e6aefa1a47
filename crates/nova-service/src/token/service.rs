//! Tokens of services: a service calls another in its own name, and is told apart from every account.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::TokenVerifier;
use super::cache::Remembered;
use super::claims::{Audience, Expected, Kind, Registered};
use super::scope::{Scope, names};
use crate::http::{Problem, Timestamp, bearer, codes};

/// The `typ` of a service token's header: an account's access token never passes as one, nor the other way round.
pub const SERVICE_TOKEN_TYPE: &str = "nova-service+jwt";

/// A service's name is not longer than this.
const LONGEST_NAME: usize = 64;

/// The claims of a service token, as auth-service signs them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceClaims {
    /// Issuer.
    pub iss: String,
    /// The service that it is meant for.
    pub aud: Audience,
    /// What may be done there, separated by spaces.
    pub scope: String,
    /// The service's name.
    pub sub: String,
    /// Issued at, in seconds since 1970.
    pub iat: i64,
    /// Expires at, in seconds since 1970.
    pub exp: i64,
    /// The token's own id.
    pub jti: Uuid,
}

/// The service that sends a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceCaller {
    /// The service's name, such as `user-service`.
    pub name: Arc<str>,
    /// What it may do here, separated by spaces.
    pub scopes: Arc<str>,
    /// When the token expires.
    pub expires_at: Timestamp,
}

/// A service that may do what `S` says. As an extractor it answers 401 unless a valid service token for this service was sent, and 403
/// when that is for something else: for routes that only other services may use. The token is what protects them, wherever a request
/// comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted<S> {
    /// Who it is.
    pub caller: ServiceCaller,
    scope: PhantomData<fn() -> S>,
}

/// What is checked of a service token.
#[derive(Deserialize)]
pub(super) struct ServiceAccess {
    iss: String,
    aud: Audience,
    sub: Arc<str>,
    #[serde(default)]
    scope: Arc<str>,
    exp: i64,
    nbf: Option<i64>,
}

impl Kind for ServiceAccess {
    const TYPE: &'static str = SERVICE_TOKEN_TYPE;
    type Bearer = ServiceCaller;

    fn audience(expected: &Expected) -> &str {
        expected.service
    }

    fn registered(&self) -> Registered<'_> {
        Registered {
            iss: &self.iss,
            aud: &self.aud,
            exp: self.exp,
            nbf: self.nbf,
        }
    }

    fn bearer(self, expires_at: Timestamp) -> Option<ServiceCaller> {
        let plausible = (1..=LONGEST_NAME).contains(&self.sub.len())
            && self
                .sub
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        plausible.then_some(ServiceCaller {
            name: self.sub,
            scopes: self.scope,
            expires_at,
        })
    }
}

impl Remembered for ServiceCaller {
    fn expires_at(&self) -> Timestamp {
        self.expires_at
    }
}

impl<S, T> FromRequestParts<T> for Granted<S>
where
    S: Scope,
    T: Send + Sync,
    TokenVerifier: FromRef<T>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &T) -> Result<Self, Problem> {
        let missing = "this route is for other services: send a service token as Authorization: Bearer";
        let token = bearer(&parts.headers)?.ok_or_else(|| Problem::unauthorized(missing))?;
        let caller = TokenVerifier::from_ref(state).verify_service(token).await?;
        if !names(&caller.scopes, S::NAME) {
            let needed = format!("the service token is not for {}", S::NAME);
            return Err(Problem::new(&codes::INSUFFICIENT_SCOPE).detail(needed));
        }
        Ok(Self {
            caller,
            scope: PhantomData,
        })
    }
}
