//! Who sends a request: the subject of a verified access token.

use axum::extract::{FromRef, FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use uuid::Uuid;

use super::problem::Problem;
use super::timestamp::Timestamp;
use crate::token::TokenVerifier;

/// The authenticated caller of a route. As an extractor it answers 401 unless a valid token was sent;
/// as `Option<Caller>` it lets a request without any token pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The account.
    pub account: Uuid,
    /// The session in which the account logged in.
    pub session: Uuid,
    /// When the access token expires.
    pub expires_at: Timestamp,
}

impl<S> FromRequestParts<S> for Caller
where
    S: Send + Sync,
    TokenVerifier: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let missing = "send the access token as Authorization: Bearer";
        let token = bearer(&parts.headers)?.ok_or_else(|| Problem::unauthorized(missing))?;
        Ok(TokenVerifier::from_ref(state).verify(token).await?)
    }
}

impl<S> OptionalFromRequestParts<S> for Caller
where
    S: Send + Sync,
    TokenVerifier: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Problem> {
        match bearer(&parts.headers)? {
            Some(token) => Ok(Some(TokenVerifier::from_ref(state).verify(token).await?)),
            None => Ok(None),
        }
    }
}

/// The one bearer token of a request.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let malformed = || Problem::unauthorized("the Authorization header must be `Bearer` and one token");
    if values.next().is_some() {
        return Err(malformed());
    }
    let (scheme, token) = value
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .ok_or_else(malformed)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(Some(token.trim()))
    } else {
        Err(malformed())
    }
}
