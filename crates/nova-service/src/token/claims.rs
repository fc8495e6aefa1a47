//! What an access token says, and the full check of one.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use jsonwebtoken::crypto::verify;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Keys, LEEWAY, Refusal, TokenError};
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

/// Whose tokens are accepted, and for whom they must be meant.
pub(super) struct Expected {
    pub(super) issuer: String,
    pub(super) audience: String,
}

/// What the header must say. A `crit` names extensions that a verifier must understand (RFC 7515, section 4.1.11): none here.
#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: Option<String>,
    kid: Option<String>,
    crit: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Checked {
    iss: String,
    aud: Audience,
    sub: Uuid,
    sid: Uuid,
    exp: i64,
    nbf: Option<i64>,
}

/// Checks header, signature, issuer, audience and expiry, as RFC 7519 section 7.2 lists them.
///
/// [`jsonwebtoken::decode`] reads the header three times and the claims twice, a tenth of the time of the signature check.
/// Here each is read once; the signature is still the library's matter.
pub(super) fn check(token: &str, keys: &Keys, expected: &Expected) -> Result<Caller, Refusal> {
    let (message, signature) = token.rsplit_once('.').ok_or_else(invalid)?;
    let (header, claims) = message.split_once('.').ok_or_else(invalid)?;
    let header: Header = part(header)?;
    let typ = header.typ.unwrap_or_default();
    if header.alg != "ES256" || header.crit.is_some() || !typ.eq_ignore_ascii_case(ACCESS_TOKEN_TYPE) {
        return Err(invalid());
    }
    let key = keys.get(&header.kid.ok_or_else(invalid)?).ok_or(Refusal::UnknownKey)?;
    let signed = verify(signature, message.as_bytes(), key, Algorithm::ES256);
    if !signed.is_ok_and(|signed| signed) {
        return Err(invalid());
    }

    let claims: Checked = part(claims)?;
    let now = OffsetDateTime::now_utc().unix_timestamp();
    if claims.iss != expected.issuer || !claims.aud.names(&expected.audience) {
        return Err(invalid());
    }
    if claims.nbf.is_some_and(|from| from > now.saturating_add(LEEWAY)) {
        return Err(invalid());
    }
    if claims.exp < now.saturating_sub(LEEWAY) {
        return Err(Refusal::Token(TokenError::Expired));
    }
    let expires_at = OffsetDateTime::from_unix_timestamp(claims.exp).map_err(|_| invalid())?;
    Ok(Caller {
        account: claims.sub,
        session: claims.sid,
        expires_at: expires_at.into(),
    })
}

/// One part of a token: JSON in base64url without padding.
fn part<T: DeserializeOwned>(encoded: &str) -> Result<T, Refusal> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(encoded).map_err(|_| invalid())?;
    serde_json::from_slice(&bytes).map_err(|_| invalid())
}

fn invalid() -> Refusal {
    Refusal::Token(TokenError::Invalid)
}

impl Audience {
    fn names(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Many(many) => many.iter().any(|one| one == audience),
        }
    }
}
