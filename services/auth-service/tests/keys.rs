//! Signing keys: published, rotated, verified.

use jsonwebtoken::{Algorithm, DecodingKey, Validation, jwk::JwkSet};
use serde_json::Value;

use crate::support::{Auth, PASSWORD, eventually};

async fn published(auth: &Auth) -> JwkSet {
    let response = auth
        .request(reqwest::Method::GET, "/.well-known/jwks.json")
        .send()
        .await
        .unwrap();
    assert_eq!(response.headers()["cache-control"], "public, max-age=30");
    response.json().await.unwrap()
}

async fn kids(auth: &Auth) -> Vec<String> {
    published(auth)
        .await
        .keys
        .into_iter()
        .filter_map(|key| key.common.key_id)
        .collect()
}

fn kid(token: &str) -> String {
    jsonwebtoken::decode_header(token).unwrap().kid.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verifier_needs_only_the_published_keys() {
    let auth = Auth::start().await;
    let session = auth.session().await;
    let set = published(&auth).await;
    let key = DecodingKey::from_jwk(set.find(&kid(&session.access)).unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_issuer(&["http://127.0.0.1:8084"]);
    validation.set_audience(&["nova"]);
    let token = jsonwebtoken::decode::<Value>(&session.access, &key, &validation).unwrap();
    assert_eq!(token.claims["sid"], session.id);

    let configuration = auth.get("/.well-known/openid-configuration", "").await.expect(200);
    assert_eq!(configuration.body["issuer"], "http://127.0.0.1:8084");
    assert_eq!(
        configuration.body["jwks_uri"],
        "http://127.0.0.1:8084/.well-known/jwks.json"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_goes_unnoticed() {
    let mut auth = Auth::start().await;
    let email = auth.account().await;
    let before = auth.login(&email).await;

    auth.ring.add("second", 0);
    eventually("the new key is published", async || {
        kids(&auth).await == ["first", "second"]
    })
    .await;
    assert_eq!(
        kid(&auth.login(&email).await.access),
        "first",
        "published, not signing yet"
    );

    auth.ring.set_age("second", 61);
    eventually("the new key signs", async || {
        kid(&auth.login(&email).await.access) == "second"
    })
    .await;
    assert_eq!(kids(&auth).await, ["first", "second"]);
    auth.get("sessions", &before.access).await.expect(200);
    let after = auth.login(&email).await;
    auth.get("sessions", &after.access).await.expect(200);

    auth.ring.set_age("second", 60 + 15 * 60 + 60);
    eventually("the old key is gone", async || kids(&auth).await == ["second"]).await;
    // What is not published verifies nothing, though the file still has it.
    eventually("its tokens are refused here too", async || {
        auth.get("sessions", &before.access).await.code() == "invalid_token"
    })
    .await;
    auth.get("sessions", &after.access).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_is_refused_and_sessions_go_on() {
    let mut auth = Auth::start().await;
    let session = auth.session().await;
    let stolen = auth.ring.clone_of_keys();
    // As the emergency revocation leaves the file: one new key, and no other.
    auth.ring.replace("new");
    eventually("its tokens are refused", async || {
        auth.get("sessions", &session.access).await.code() == "invalid_token"
    })
    .await;
    assert_eq!(kids(&auth).await, ["new"]);
    let forged = stolen.sign(
        "first",
        "at+jwt",
        &serde_json::json!({
            "iss": "http://127.0.0.1:8084", "aud": "nova", "sub": session.account, "sid": session.id,
            "iat": 0, "exp": 99_999_999_999_i64, "jti": session.id,
        }),
    );
    auth.get("sessions", &forged).await.problem(401, "invalid_token");
    // Nobody has to log in again: a refresh gives a token of the new key, at once.
    let next = crate::support::Session::from(auth.refresh(&session.refresh).await.expect(200));
    assert_eq!(kid(&next.access), "new");
    auth.get("sessions", &next.access).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_changes_nothing() {
    let mut auth = Auth::start().await;
    let email = auth.account().await;
    std::fs::write(auth.ring.path(), "{").unwrap();
    assert_eq!(kids(&auth).await, ["first"]);
    std::fs::remove_file(auth.ring.path()).unwrap();
    auth.try_login(&email, PASSWORD).await.expect(200);
    // The service still follows the file.
    auth.ring.add("second", 0);
    eventually("the repaired file is read", async || {
        kids(&auth).await == ["first", "second"]
    })
    .await;
}

#[test]
fn a_service_without_keys_does_not_start_and_says_why() {
    let verifier = nova_service::TokenVerifier::local("issuer", "nova", "auth-service");
    let timing = auth_service::keys::Timing {
        publish_delay: std::time::Duration::from_secs(60),
        retire_after: std::time::Duration::from_secs(960),
    };
    let error = auth_service::keys::KeyFile::open("/nowhere/keys.json".into(), timing, verifier)
        .err()
        .unwrap();
    assert!(
        format!("{error:#}").contains("NOVA_AUTH_SIGNING_KEYS_FILE"),
        "{error:#}"
    );
}
