//! The ring of keys that sign access tokens: ES256, newest last, old ones kept while tokens that they signed may be valid.

use std::fmt;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};

use super::SecretsError;

/// How long after its successor was made a key stays: longer than its successor takes to be published and sign (a minute)
/// and the last token that it signed to expire (15 minutes), with an hour to spare.
const KEPT_AFTER_SUCCESSOR: Duration = Duration::minutes(76);

/// Signing keys, newest last.
#[derive(Debug, Clone, Deserialize)]
pub struct KeyRing {
    /// The keys.
    pub keys: Vec<SigningKey>,
}

/// One ES256 key.
#[derive(Clone, Deserialize)]
pub struct SigningKey {
    /// Its id: the thumbprint of RFC 7638.
    pub kid: String,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// PKCS#8, PEM.
    pub private_key_pem: SecretString,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("kid", &self.kid)
            .field("created_at", &self.created_at)
            .finish_non_exhaustive()
    }
}

impl KeyRing {
    /// A ring of one new key.
    pub(super) fn generate(now: OffsetDateTime) -> Result<Self, SecretsError> {
        Ok(Self {
            keys: vec![SigningKey::generate(now)?],
        })
    }

    /// Adds a new key, and drops those whose successor has been signing for long enough.
    pub(super) fn rotate(&mut self, now: OffsetDateTime) -> Result<(), SecretsError> {
        self.keys.push(SigningKey::generate(now)?);
        let successors: Vec<OffsetDateTime> = self.keys.iter().skip(1).map(|key| key.created_at).collect();
        let mut successors = successors.into_iter();
        self.keys
            .retain(|_| successors.next().is_none_or(|made| made + KEPT_AFTER_SUCCESSOR > now));
        Ok(())
    }

    /// Reads a ring; the reason never quotes it.
    pub(super) fn from_text(text: &str) -> Result<Self, String> {
        let ring: Self = serde_json::from_str(text).map_err(|_| "the key ring is not the expected JSON".to_owned())?;
        if ring.keys.is_empty() {
            return Err("the key ring has no key".to_owned());
        }
        Ok(ring)
    }

    /// The JSON that auth-service reads.
    pub(super) fn to_text(&self) -> Result<SecretString, SecretsError> {
        #[derive(Serialize)]
        struct Ring<'a> {
            keys: Vec<Key<'a>>,
        }
        #[derive(Serialize)]
        struct Key<'a> {
            kid: &'a str,
            #[serde(with = "time::serde::rfc3339")]
            created_at: OffsetDateTime,
            private_key_pem: &'a str,
        }
        let keys = self.keys.iter().map(|key| Key {
            kid: &key.kid,
            created_at: key.created_at,
            private_key_pem: key.private_key_pem.expose_secret(),
        });
        let ring = Ring { keys: keys.collect() };
        let text = serde_json::to_string(&ring).map_err(|error| SecretsError::Ring {
            reason: error.to_string(),
        })?;
        Ok(SecretString::from(text))
    }
}

impl SigningKey {
    fn generate(now: OffsetDateTime) -> Result<Self, SecretsError> {
        let failed = |_| SecretsError::Random { what: "a signing key" };
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(failed)?;
        let der = pair.to_pkcs8v1().map_err(failed)?;
        Ok(Self {
            kid: thumbprint(pair.public_key().as_ref()),
            // Whole seconds: what is written is what is read again.
            created_at: now.replace_nanosecond(0).unwrap_or(now),
            private_key_pem: pem(der.as_ref()),
        })
    }
}

/// RFC 7638, of a P-256 public key as an uncompressed point: 0x04, then x and y.
fn thumbprint(point: &[u8]) -> String {
    let (x, y) = point
        .get(1..)
        .unwrap_or_default()
        .split_at(point.len().saturating_sub(1) / 2);
    let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
    let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    URL_SAFE_NO_PAD.encode(Sha256::digest(canonical))
}

/// RFC 7468: base64 in lines of 64.
fn pem(der: &[u8]) -> SecretString {
    let body = Zeroizing::new(STANDARD.encode(der));
    let mut text = String::with_capacity(body.len() + 80);
    text.push_str("-----BEGIN PRIVATE KEY-----\n");
    for line in body.as_bytes().chunks(64) {
        text.extend(line.iter().copied().map(char::from));
        text.push('\n');
    }
    text.push_str("-----END PRIVATE KEY-----\n");
    SecretString::from(text)
}
