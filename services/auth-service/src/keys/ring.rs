//! The ring: which key signs now, and which are published.

use std::time::Duration;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey,
    jwk::{Jwk, JwkSet, PublicKeyUse},
};
use serde::Deserialize;
use time::OffsetDateTime;

use crate::digest::sha256;

/// How long a key's stages last.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// From its creation to its first signature.
    pub publish_delay: Duration,
    /// From its successor's first signature until it is no longer published: a token's life and some leeway for clocks.
    pub retire_after: Duration,
}

/// The keys, oldest first; never empty.
#[derive(Debug)]
pub struct KeyRing {
    keys: Vec<SigningKey>,
    timing: Timing,
    source: [u8; 32],
}

/// One key pair.
pub struct SigningKey {
    kid: String,
    created_at: OffsetDateTime,
    pair: EcdsaKeyPair,
    public: Jwk,
}

/// Why a ring cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// Not the JSON that it should be.
    #[error("the key ring is not of the form {{\"keys\":[{{\"kid\",\"created_at\",\"private_key_pem\"}}]}}")]
    Json(#[source] serde_json::Error),
    /// There is nothing in it.
    #[error("the key ring holds no key")]
    Empty,
    /// Two keys of one name.
    #[error("the key ring holds two keys with the id {0}")]
    DuplicateId(String),
    /// No P-256 key in PKCS#8.
    #[error("key {kid} is no ES256 private key in PKCS#8 PEM")]
    Key {
        /// Which one.
        kid: String,
        /// What the parser said.
        #[source]
        source: jsonwebtoken::errors::Error,
    },
    /// A key that the cryptographic library refuses.
    #[error("key {kid} was rejected: {reason}")]
    Rejected {
        /// Which one.
        kid: String,
        /// The library's word for it.
        reason: String,
    },
}

#[derive(Deserialize)]
struct RingFile {
    keys: Vec<KeyFile>,
}

#[derive(Deserialize)]
struct KeyFile {
    kid: String,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    private_key_pem: String,
}

impl KeyRing {
    /// Reads the file's content.
    pub fn parse(content: &[u8], timing: Timing) -> Result<Self, RingError> {
        let file: RingFile = serde_json::from_slice(content).map_err(RingError::Json)?;
        let mut keys = file
            .keys
            .into_iter()
            .map(SigningKey::parse)
            .collect::<Result<Vec<_>, _>>()?;
        keys.sort_by_key(|key| key.created_at);
        for (index, key) in keys.iter().enumerate() {
            if keys[..index].iter().any(|other| other.kid == key.kid) {
                return Err(RingError::DuplicateId(key.kid.clone()));
            }
        }
        if keys.is_empty() {
            return Err(RingError::Empty);
        }
        Ok(Self {
            keys,
            timing,
            source: sha256(content),
        })
    }

    /// Whether this ring was read from this content.
    pub fn is_from(&self, content: &[u8]) -> bool {
        self.source == sha256(content)
    }

    /// All keys, also those that are not published any more.
    pub fn keys(&self) -> impl Iterator<Item = &SigningKey> {
        self.keys.iter()
    }

    /// What verifies tokens at this moment: the published keys and no others, as everywhere else.
    pub fn decoding_keys(
        &self,
        now: OffsetDateTime,
    ) -> Result<Vec<(String, DecodingKey)>, jsonwebtoken::errors::Error> {
        self.published(now)
            .map(|key| Ok((key.kid.clone(), key.decoding_key()?)))
            .collect()
    }

    /// The key that signs at this moment: the newest one that has been published long enough, or, when there is none yet
    /// (a platform's first minute), the oldest.
    pub fn signing(&self, now: OffsetDateTime) -> &SigningKey {
        self.keys
            .iter()
            .rev()
            .find(|key| now >= self.active_from(key))
            .unwrap_or(&self.keys[0])
    }

    /// The keys that verifiers need at this moment.
    pub fn published(&self, now: OffsetDateTime) -> impl Iterator<Item = &SigningKey> {
        self.keys
            .iter()
            .enumerate()
            .filter(move |(index, _)| !self.is_retired(*index, now))
            .map(|(_, key)| key)
    }

    /// The same as a JSON Web Key Set.
    pub fn jwks(&self, now: OffsetDateTime) -> JwkSet {
        JwkSet {
            keys: self.published(now).map(|key| key.public.clone()).collect(),
        }
    }

    fn is_retired(&self, index: usize, now: OffsetDateTime) -> bool {
        self.keys
            .get(index + 1)
            .is_some_and(|successor| now >= self.active_from(successor) + self.timing.retire_after)
    }

    fn active_from(&self, key: &SigningKey) -> OffsetDateTime {
        key.created_at + self.timing.publish_delay
    }
}

impl SigningKey {
    /// Its id, the `kid` of its tokens.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// An ES256 signature (r ‖ s).
    pub fn sign(&self, message: &[u8]) -> Result<impl AsRef<[u8]> + use<>, aws_lc_rs::error::Unspecified> {
        self.pair.sign(&SystemRandom::new(), message)
    }

    /// What verifies its signatures.
    pub fn decoding_key(&self) -> Result<DecodingKey, jsonwebtoken::errors::Error> {
        DecodingKey::from_jwk(&self.public)
    }

    fn parse(file: KeyFile) -> Result<Self, RingError> {
        let kid = file.kid;
        let key = |source| RingError::Key {
            kid: kid.clone(),
            source,
        };
        let encoding = EncodingKey::from_ec_pem(file.private_key_pem.as_bytes()).map_err(key)?;
        let mut public = Jwk::from_encoding_key(&encoding, Algorithm::ES256).map_err(key)?;
        public.common.key_id = Some(kid.clone());
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        // Kept parsed: parsing checks the pair, which costs more than a signature.
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, encoding.as_bytes()).map_err(|rejected| {
                RingError::Rejected {
                    kid: kid.clone(),
                    reason: rejected.to_string(),
                }
            })?;
        Ok(Self {
            kid,
            created_at: file.created_at,
            pair,
            public,
        })
    }
}

/// Shows no key material.
impl std::fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "SigningKey({}, {})", self.kid, self.created_at)
    }
}

#[cfg(test)]
mod tests;
