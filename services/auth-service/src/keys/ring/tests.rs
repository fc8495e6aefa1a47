//! Which key signs and which are published, over a rotation.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use time::macros::datetime;

use super::*;

const TIMING: Timing = Timing {
    publish_delay: Duration::from_secs(60),
    retire_after: Duration::from_secs(960),
};
const T0: OffsetDateTime = datetime!(2026-11-22 12:00:00 UTC);

fn pem() -> String {
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        STANDARD.encode(document.as_ref())
    )
}

fn ring(keys: &[(&str, i64)]) -> KeyRing {
    let keys: Vec<_> = keys
        .iter()
        .map(|(kid, age)| {
            let created_at =
                (T0 - time::Duration::seconds(*age)).format(&time::format_description::well_known::Rfc3339);
            json!({"kid": kid, "created_at": created_at.unwrap(), "private_key_pem": pem()})
        })
        .collect();
    KeyRing::parse(json!({ "keys": keys }).to_string().as_bytes(), TIMING).unwrap()
}

fn published(ring: &KeyRing) -> Vec<&str> {
    ring.published(T0).map(SigningKey::kid).collect()
}

#[test]
fn the_only_key_signs_at_once() {
    let ring = ring(&[("a", 0)]);
    assert_eq!(ring.signing(T0).kid(), "a");
    assert_eq!(published(&ring), ["a"]);
}

#[test]
fn a_new_key_is_published_before_it_signs() {
    let early = ring(&[("old", 9999), ("new", 59)]);
    assert_eq!(early.signing(T0).kid(), "old");
    assert_eq!(published(&early), ["old", "new"]);
    assert_eq!(ring(&[("old", 9999), ("new", 60)]).signing(T0).kid(), "new");
}

#[test]
fn an_old_key_stays_until_its_last_token_has_expired() {
    assert_eq!(published(&ring(&[("new", 60 + 959), ("old", 9999)])), ["old", "new"]);
    assert_eq!(published(&ring(&[("new", 60 + 960), ("old", 9999)])), ["new"]);
}

#[test]
fn two_young_keys_leave_the_older_signing() {
    let ring = ring(&[("second", 10), ("first", 20)]);
    assert_eq!(ring.signing(T0).kid(), "first");
}

#[test]
fn the_published_key_verifies_what_the_private_one_signs() {
    let ring = ring(&[("a", 0)]);
    let signature = ring.signing(T0).sign(b"message").unwrap();
    let signature = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(signature.as_ref());
    let key = DecodingKey::from_jwk(&ring.jwks(T0).keys[0]).unwrap();
    assert!(jsonwebtoken::crypto::verify(&signature, b"message", &key, Algorithm::ES256).unwrap());
    let jwk = serde_json::to_value(&ring.jwks(T0).keys[0]).unwrap();
    assert_eq!(jwk["kty"], "EC");
    assert_eq!(jwk["crv"], "P-256");
    assert_eq!(jwk["kid"], "a");
    assert_eq!(jwk["use"], "sig");
    assert_eq!(jwk["alg"], "ES256");
    assert!(jwk.get("d").is_none());
}

#[test]
fn a_wrong_ring_is_refused_with_its_reason() {
    let created_at = "2026-11-22T00:00:00Z";
    let key = |kid: &str| json!({"kid": kid, "created_at": created_at, "private_key_pem": pem()});
    let cases = [
        ("{".to_owned(), "not of the form"),
        (json!({"keys": []}).to_string(), "holds no key"),
        (
            json!({"keys": [key("a"), key("a")]}).to_string(),
            "two keys with the id a",
        ),
        (
            json!({"keys": [{"kid": "a", "created_at": created_at, "private_key_pem": "x"}]}).to_string(),
            "no ES256",
        ),
        (
            json!({"keys": [{"kid": "a", "created_at": "yesterday", "private_key_pem": pem()}]}).to_string(),
            "not of the form",
        ),
    ];
    for (content, reason) in cases {
        let error = KeyRing::parse(content.as_bytes(), TIMING).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}
