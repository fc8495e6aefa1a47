//! What an access token says, and the full check of one.

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Keys, Refusal, TokenError};
use crate::http::Caller;

/// The `typ` of an access token's header (RFC 9068): no other token of the issuer passes as one.
pub const ACCESS_TOKEN_TYPE: &str = "at+jwt";

/// The claims of an access token, as auth-service signs them and the others read them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// Issuer.
    pub iss: String,
    /// Audience.
    pub aud: Audience,
    /// The account.
    pub sub: Uuid,
    /// The session.
    pub sid: Uuid,
    /// Issued at, in seconds since 1970.
    pub iat: i64,
    /// Expires at, in seconds since 1970.
    pub exp: i64,
    /// The token's own id.
    pub jti: Uuid,
}

/// One audience or several, as RFC 7519 allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// The usual form.
    One(String),
    /// A list.
    Many(Vec<String>),
}

/// What the check needs beyond what [`Validation`] looks at by itself.
#[derive(Deserialize)]
struct Subject {
    sub: Uuid,
    sid: Uuid,
    exp: i64,
}

/// Checks header, signature, issuer, audience and expiry.
pub(super) fn check(token: &str, keys: &Keys, validation: &Validation) -> Result<Caller, Refusal> {
    let invalid = || Refusal::Token(TokenError::Invalid);
    let header = decode_header(token).map_err(|_| invalid())?;
    let access = header
        .typ
        .as_deref()
        .is_some_and(|typ| typ.eq_ignore_ascii_case(ACCESS_TOKEN_TYPE));
    if header.alg != Algorithm::ES256 || !access {
        return Err(invalid());
    }
    let key = keys.get(&header.kid.ok_or_else(invalid)?).ok_or(Refusal::UnknownKey)?;
    let claims = decode::<Subject>(token, key, validation).map_err(|error| match error.kind() {
        ErrorKind::ExpiredSignature => Refusal::Token(TokenError::Expired),
        _ => invalid(),
    })?;
    let Subject { sub, sid, exp } = claims.claims;
    let expires_at = OffsetDateTime::from_unix_timestamp(exp).map_err(|_| invalid())?;
    Ok(Caller {
        account: sub,
        session: sid,
        expires_at: expires_at.into(),
    })
}
