//! What a token of the issuer says, and the full check of one.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use jsonwebtoken::crypto::verify;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Keys, LEEWAY, Refusal, TokenError};
use crate::http::{Caller, Timestamp};

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
    /// Of accounts' tokens: every service.
    pub(super) audience: String,
    /// Of services' tokens: this service alone.
    pub(super) service: &'static str,
}

/// One kind of token: its `typ`, what it says, and whom it names. A token passes as no other kind than its own (explicit
/// typing, RFC 8725 section 3.11).
pub(super) trait Kind: DeserializeOwned {
    /// The `typ` of its header.
    const TYPE: &'static str;
    /// Who bears it.
    type Bearer;

    /// For whom it must be meant.
    fn audience(expected: &Expected) -> &str;

    /// The claims that every kind has.
    fn registered(&self) -> Registered<'_>;

    /// Whom it names; `None` when it says no one.
    fn bearer(self, expires_at: Timestamp) -> Option<Self::Bearer>;
}

/// The claims that every kind of token has.
pub(super) struct Registered<'a> {
    pub(super) iss: &'a str,
    pub(super) aud: &'a Audience,
    pub(super) exp: i64,
    pub(super) nbf: Option<i64>,
}

/// What the header must say. A `crit` names extensions that a verifier must understand (RFC 7515, section 4.1.11): none here.
#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: Option<String>,
    kid: Option<String>,
    crit: Option<IgnoredAny>,
}

/// An account's access token.
#[derive(Deserialize)]
pub(super) struct Access {
    iss: String,
    aud: Audience,
    sub: Uuid,
    sid: Uuid,
    exp: i64,
    nbf: Option<i64>,
}

impl Kind for Access {
    const TYPE: &'static str = ACCESS_TOKEN_TYPE;
    type Bearer = Caller;

    fn audience(expected: &Expected) -> &str {
        &expected.audience
    }

    fn registered(&self) -> Registered<'_> {
        Registered {
            iss: &self.iss,
            aud: &self.aud,
            exp: self.exp,
            nbf: self.nbf,
        }
    }

    fn bearer(self, expires_at: Timestamp) -> Option<Caller> {
        Some(Caller {
            account: self.sub,
            session: self.sid,
            expires_at,
        })
    }
}

/// Checks header, signature, issuer, audience and expiry, as RFC 7519 section 7.2 lists them.
///
/// [`jsonwebtoken::decode`] reads the header three times and the claims twice, a tenth of the time of the signature check.
/// Here each is read once; the signature is still the library's matter.
pub(super) fn check<K: Kind>(token: &str, keys: &Keys, expected: &Expected) -> Result<K::Bearer, Refusal> {
    let (message, signature) = token.rsplit_once('.').ok_or_else(invalid)?;
    let (header, claims) = message.split_once('.').ok_or_else(invalid)?;
    let header: Header = part(header)?;
    let typ = header.typ.unwrap_or_default();
    if header.alg != "ES256" || header.crit.is_some() || !typ.eq_ignore_ascii_case(K::TYPE) {
        return Err(invalid());
    }
    let key = keys.get(&header.kid.ok_or_else(invalid)?).ok_or(Refusal::UnknownKey)?;
    let signed = verify(signature, message.as_bytes(), key, Algorithm::ES256);
    if !signed.is_ok_and(|signed| signed) {
        return Err(invalid());
    }

    let token: K = part(claims)?;
    let claims = token.registered();
    let now = OffsetDateTime::now_utc().unix_timestamp();
    if claims.iss != expected.issuer || !claims.aud.names(K::audience(expected)) {
        return Err(invalid());
    }
    if claims.nbf.is_some_and(|from| from > now.saturating_add(LEEWAY)) {
        return Err(invalid());
    }
    if claims.exp < now.saturating_sub(LEEWAY) {
        return Err(Refusal::Token(TokenError::Expired));
    }
    let expires_at = OffsetDateTime::from_unix_timestamp(claims.exp).map_err(|_| invalid())?;
    token.bearer(expires_at.into()).ok_or_else(invalid)
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
