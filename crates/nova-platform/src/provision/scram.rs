//! SCRAM-SHA-256 verifiers as PostgreSQL keeps them (RFC 5802, RFC 7677): made here, so that no password is ever part of
//! a statement, and compared here, so that an unchanged password changes nothing.

use std::num::NonZeroU32;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use aws_lc_rs::pbkdf2::{self, PBKDF2_HMAC_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};

/// PostgreSQL's own default.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(4096).expect("it is not zero");
const SALT_LENGTH: usize = 16;
/// A verifier that asks for more than this is not one of ours, and computing it would take too long.
const MOST_ITERATIONS: u32 = 1_000_000;

/// A new verifier of `password`, with a random salt. The password must be ASCII, which generated ones are: others would
/// need SASLprep first.
pub(super) fn verifier(password: &SecretString) -> String {
    let salt: [u8; SALT_LENGTH] = rand::random();
    derive(password, &salt, ITERATIONS)
}

/// Whether `verifier`, as kept in `pg_authid`, belongs to `password`.
pub(super) fn verifies(verifier: &str, password: &SecretString) -> bool {
    let parameters = || {
        let (iterations, salt) = verifier
            .strip_prefix("SCRAM-SHA-256$")?
            .split_once('$')?
            .0
            .split_once(':')?;
        let iterations = NonZeroU32::new(iterations.parse().ok()?).filter(|count| count.get() <= MOST_ITERATIONS)?;
        Some((iterations, STANDARD.decode(salt).ok()?))
    };
    parameters().is_some_and(|(iterations, salt)| derive(password, &salt, iterations) == verifier)
}

fn derive(password: &SecretString, salt: &[u8], iterations: NonZeroU32) -> String {
    let mut salted = [0_u8; 32];
    pbkdf2::derive(
        PBKDF2_HMAC_SHA256,
        iterations,
        salt,
        password.expose_secret().as_bytes(),
        &mut salted,
    );
    let key = hmac::Key::new(HMAC_SHA256, &salted);
    let client_key = hmac::sign(&key, b"Client Key");
    let stored_key = digest(&SHA256, client_key.as_ref());
    let server_key = hmac::sign(&key, b"Server Key");
    let [salt, stored, server] = [salt, stored_key.as_ref(), server_key.as_ref()].map(|bytes| STANDARD.encode(bytes));
    format!("SCRAM-SHA-256${iterations}:{salt}${stored}:{server}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]
mod tests {
    use super::{derive, verifier, verifies};
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    /// The exchange in RFC 7677, section 3: user "user", password "pencil". Its client proof is the client key xor the
    /// client signature, so both keys can be checked from what the RFC prints.
    #[test]
    fn keys_are_those_of_the_rfc() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let made = derive(&"pencil".into(), &salt, super::ITERATIONS);
        assert_eq!(
            made,
            "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
        );
    }

    #[test]
    fn a_verifier_verifies_its_own_password_only() {
        let made = verifier(&"correct horse".into());
        assert!(verifies(&made, &"correct horse".into()));
        assert!(!verifies(&made, &"wrong horse".into()));
        assert_ne!(made, verifier(&"correct horse".into()), "the salt is random");
    }

    #[test]
    fn garbage_verifies_nothing() {
        for garbage in [
            "",
            "md5abcdef",
            "SCRAM-SHA-256$",
            "SCRAM-SHA-256$4294967295:AAAA$a:b",
            "SCRAM-SHA-256$x:!$a:b",
        ] {
            assert!(!verifies(garbage, &"x".into()), "{garbage}");
        }
    }
}
