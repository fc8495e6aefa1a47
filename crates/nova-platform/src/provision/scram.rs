//! SCRAM-SHA-256 verifiers as PostgreSQL keeps them (RFC 5802, RFC 7677): made here, so that no password is ever part of
//! a statement, and compared here, so that an unchanged password changes nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// PostgreSQL's own default.
const ITERATIONS: u32 = 4096;
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
        let (iterations, salt) = verifier.strip_prefix("SCRAM-SHA-256$")?.split_once('$')?.0.split_once(':')?;
        let iterations: u32 = iterations.parse().ok().filter(|count| (1..=MOST_ITERATIONS).contains(count))?;
        Some((iterations, STANDARD.decode(salt).ok()?))
    };
    parameters().is_some_and(|(iterations, salt)| derive(password, &salt, iterations) == verifier)
}

fn derive(password: &SecretString, salt: &[u8], iterations: u32) -> String {
    let salted = salted_password(password.expose_secret().as_bytes(), salt, iterations);
    let client_key = keyed(&salted).chain_update(b"Client Key").finalize().into_bytes();
    let stored_key = Sha256::digest(client_key);
    let server_key = keyed(&salted).chain_update(b"Server Key").finalize().into_bytes();
    let [salt, stored, server] = [salt, &stored_key, &server_key].map(|bytes| STANDARD.encode(bytes));
    format!("SCRAM-SHA-256${iterations}:{salt}${stored}:{server}")
}

/// RFC 5802's `Hi()`: PBKDF2 with a single block.
fn salted_password(password: &[u8], salt: &[u8], iterations: u32) -> [u8; 32] {
    let key = keyed(password);
    let mut block: [u8; 32] =
        key.clone().chain_update(salt).chain_update(1_u32.to_be_bytes()).finalize().into_bytes().into();
    let mut sum = block;
    for _ in 1..iterations {
        block = key.clone().chain_update(block).finalize().into_bytes().into();
        sum.iter_mut().zip(block).for_each(|(sum, byte)| *sum ^= byte);
    }
    sum
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

#[cfg(test)]
mod tests {
    use super::{derive, verifier, verifies};
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    /// The exchange in RFC 7677, section 3: user "user", password "pencil". Its client proof is the client key xor the
    /// client signature, so both keys can be checked from what the RFC prints.
    #[test]
    fn keys_are_those_of_the_rfc() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let made = derive(&"pencil".into(), &salt, 4096);
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
        for garbage in ["", "md5abcdef", "SCRAM-SHA-256$", "SCRAM-SHA-256$4294967295:AAAA$a:b", "SCRAM-SHA-256$x:!$a:b"] {
            assert!(!verifies(garbage, &"x".into()), "{garbage}");
        }
    }
}
