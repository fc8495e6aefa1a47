//! Makes access tokens (RFC 9068: ES256, `typ` at+jwt) and the tokens of services, which every service verifies for itself.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use nova_service::{ACCESS_TOKEN_TYPE, AccessClaims, Audience, Problem, SERVICE_TOKEN_TYPE, ServiceClaims};
use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::keys::KeyFile;

/// Life of a service's token. Short: it cannot be revoked, and a service gets the next one without anyone's help.
pub const SERVICE_TOKEN_LIFE: Duration = Duration::from_secs(300);

/// Signs tokens of one issuer for one audience.
pub struct Signer {
    issuer: String,
    audience: String,
    life: Duration,
    keys: KeyFile,
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    typ: &'static str,
    kid: &'a str,
}

impl Signer {
    /// Signs with the keys of this file.
    pub fn new(issuer: String, audience: String, life: Duration, keys: KeyFile) -> Self {
        Self {
            issuer,
            audience,
            life,
            keys,
        }
    }

    /// How long a token is valid.
    pub fn life(&self) -> Duration {
        self.life
    }

    /// The keys.
    pub fn keys(&self) -> &KeyFile {
        &self.keys
    }

    /// The issuer's address.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// A token for a session that was just begun or refreshed.
    pub fn sign(&self, account: Uuid, session: Uuid) -> Result<String, Problem> {
        let now = OffsetDateTime::now_utc();
        let issued_at = now.unix_timestamp();
        let claims = AccessClaims {
            iss: self.issuer.clone(),
            aud: Audience::One(self.audience.clone()),
            sub: account,
            sid: session,
            iat: issued_at,
            exp: issued_at + self.life.as_secs().cast_signed(),
            jti: Uuid::now_v7(),
        };
        self.sign_claims(ACCESS_TOKEN_TYPE, now, &claims)
    }

    /// A token of a service, in whose own name it calls another one, for what it may do there.
    pub fn sign_service(&self, service: &str, audience: &str, scope: &str) -> Result<String, Problem> {
        let now = OffsetDateTime::now_utc();
        let issued_at = now.unix_timestamp();
        let claims = ServiceClaims {
            iss: self.issuer.clone(),
            aud: Audience::One(audience.to_owned()),
            scope: scope.to_owned(),
            sub: service.to_owned(),
            iat: issued_at,
            exp: issued_at + SERVICE_TOKEN_LIFE.as_secs().cast_signed(),
            jti: Uuid::now_v7(),
        };
        self.sign_claims(SERVICE_TOKEN_TYPE, now, &claims)
    }

    fn sign_claims(&self, typ: &'static str, now: OffsetDateTime, claims: &impl Serialize) -> Result<String, Problem> {
        let ring = self.keys.ring();
        let key = ring.signing(now);
        let mut token = String::with_capacity(512);
        encode(
            &Header {
                alg: "ES256",
                typ,
                kid: key.kid(),
            },
            &mut token,
        )?;
        token.push('.');
        encode(claims, &mut token)?;
        let signature = key
            .sign(token.as_bytes())
            .map_err(|_| Problem::internal("signing a token failed"))?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature.as_ref(), &mut token);
        Ok(token)
    }
}

fn encode(part: &impl Serialize, token: &mut String) -> Result<(), Problem> {
    URL_SAFE_NO_PAD.encode_string(serde_json::to_vec(part).map_err(Problem::internal)?, token);
    Ok(())
}
