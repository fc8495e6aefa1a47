//! The refresh token: what it holds, how the next one is made from it, and how an old one is told from a forged one.
//!
//! A token is `session id (16) ‖ secret (32) ‖ tag (16)` in base64url. The database holds:
//! - the SHA-256 of the present secret and of the one before it, never a secret;
//! - a fresh nonce a rotation. The next secret is HMAC-SHA-256 keyed by the *presented secret* over that nonce, so when the
//!   answer to a refresh is lost, a client that still holds the old token is given the same next one again, while someone
//!   who reads only the database can compute nothing;
//! - a key a session for the tag. It tells a genuine old token (stolen or replayed: the session ends) from a made-up one
//!   (ignored), so that knowing a session's id, which is no secret, does not suffice to end that session.

use std::fmt;

use aws_lc_rs::{constant_time, hmac};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

use crate::digest::sha256;

const TOKEN_BYTES: usize = 16 + 32 + 16;

/// A refresh token in the clear. Only its holder keeps it.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken {
    session: Uuid,
    secret: [u8; 32],
    tag: [u8; 16],
}

/// The key that marks the tokens of one session.
#[derive(Clone)]
pub struct FamilyKey(pub [u8; 32]);

/// Makes the next secret out of the one before; worthless without that.
#[derive(Clone, Copy)]
pub struct Nonce(pub [u8; 16]);

impl RefreshToken {
    /// The first token of a session.
    pub fn first(session: Uuid, family: &FamilyKey) -> Self {
        Self::with_secret(session, rand::random(), family)
    }

    /// The token that follows this one under a nonce; always the same for the same nonce.
    pub fn successor(&self, nonce: Nonce, family: &FamilyKey) -> Self {
        Self::with_secret(self.session, self.successor_secret(nonce), family)
    }

    /// What the database will know of the successor.
    pub fn successor_hash(&self, nonce: Nonce) -> [u8; 32] {
        sha256(&self.successor_secret(nonce))
    }

    /// What the database knows of this token.
    pub fn hash(&self) -> [u8; 32] {
        sha256(&self.secret)
    }

    /// The session that the token claims to belong to.
    pub fn session(&self) -> Uuid {
        self.session
    }

    /// Whether this service once issued the token for its session.
    pub fn is_genuine(&self, family: &FamilyKey) -> bool {
        constant_time::verify_slices_are_equal(&self.tag, &tag(self.session, &self.secret, family)).is_ok()
    }

    /// Reads what a client sent; `None` for anything that cannot be a token.
    pub fn decode(text: &str) -> Option<Self> {
        let mut bytes = [0; TOKEN_BYTES + 2];
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        let bytes: &[u8; TOKEN_BYTES] = bytes.get(..length)?.try_into().ok()?;
        Some(Self {
            session: Uuid::from_bytes(bytes[..16].try_into().ok()?),
            secret: bytes[16..48].try_into().ok()?,
            tag: bytes[48..].try_into().ok()?,
        })
    }

    /// What the client gets.
    pub fn encode(&self) -> String {
        let mut bytes = [0; TOKEN_BYTES];
        bytes[..16].copy_from_slice(self.session.as_bytes());
        bytes[16..48].copy_from_slice(&self.secret);
        bytes[48..].copy_from_slice(&self.tag);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn with_secret(session: Uuid, secret: [u8; 32], family: &FamilyKey) -> Self {
        Self {
            session,
            secret,
            tag: tag(session, &secret, family),
        }
    }

    fn successor_secret(&self, nonce: Nonce) -> [u8; 32] {
        hmac_sha256(&self.secret, &[b"nova refresh successor", &nonce.0])
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RefreshToken({}, …)", self.session)
    }
}

impl FamilyKey {
    /// A new random one.
    pub fn random() -> Self {
        Self(rand::random())
    }
}

impl Nonce {
    /// A new random one.
    pub fn random() -> Self {
        Self(rand::random())
    }
}

fn tag(session: Uuid, secret: &[u8; 32], family: &FamilyKey) -> [u8; 16] {
    let full = hmac_sha256(&family.0, &[b"nova refresh tag", session.as_bytes(), secret]);
    let mut tag = [0; 16];
    tag.copy_from_slice(&full[..16]);
    tag
}

fn hmac_sha256(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.sign().as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_the_wire() {
        let token = RefreshToken::first(Uuid::now_v7(), &FamilyKey::random());
        assert_eq!(RefreshToken::decode(&token.encode()), Some(token));
    }

    #[test]
    fn garbage_is_no_token() {
        let longer = "A".repeat(88);
        for text in [
            "",
            "x",
            "not a token",
            &longer,
            &"A".repeat(85),
            &"A".repeat(5000),
            "ä".repeat(43).as_str(),
        ] {
            assert_eq!(RefreshToken::decode(text), None, "{text:?}");
        }
    }

    #[test]
    fn one_nonce_gives_one_successor_and_another_gives_another() {
        let family = FamilyKey::random();
        let token = RefreshToken::first(Uuid::now_v7(), &family);
        let nonce = Nonce::random();
        let next = token.successor(nonce, &family);
        assert_eq!(next, token.successor(nonce, &family));
        assert_eq!(next.hash(), token.successor_hash(nonce));
        assert_ne!(next, token.successor(Nonce::random(), &family));
        assert_ne!(next.hash(), token.hash());
    }

    #[test]
    fn a_forged_token_is_not_genuine() {
        let family = FamilyKey::random();
        let token = RefreshToken::first(Uuid::now_v7(), &family);
        assert!(token.is_genuine(&family));
        assert!(token.successor(Nonce::random(), &family).is_genuine(&family));
        assert!(!token.is_genuine(&FamilyKey::random()));
        assert!(
            !RefreshToken {
                secret: rand::random(),
                ..token.clone()
            }
            .is_genuine(&family)
        );
        assert!(
            !RefreshToken {
                session: Uuid::now_v7(),
                ..token
            }
            .is_genuine(&family)
        );
    }
}
