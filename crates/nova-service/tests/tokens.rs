//! Access tokens: what is accepted, and what the loss of the issuer costs.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, Header};
use nova_service::config::CallsConfig;
use nova_service::{Audience, TokenVerifier};
use nova_testkit::{Postgres, TestIssuer, TestService, server_config};
use reqwest::{Response, StatusCode};
use uuid::Uuid;

use crate::support::{problem, shop_with_verifier};

async fn start(issuer: &TestIssuer) -> TestService {
    let database = Postgres::shared().await.database("shop").await;
    let verifier = TokenVerifier::remote(&issuer.config(), &CallsConfig::default(), "shop").unwrap();
    TestService::start(shop_with_verifier(server_config(), &database.config(), verifier)).await
}

async fn who(shop: &TestService, token: &str) -> Response {
    shop.client
        .get(shop.url("/whoami"))
        .header("authorization", format!("Bearer {token}"))
        .send()
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_valid_token_names_its_account() {
    let issuer = TestIssuer::start().await;
    let shop = start(&issuer).await;
    let account = Uuid::now_v7();
    let token = issuer.token(account);
    for _ in 0..2 {
        assert_eq!(who(&shop, &token).await.text().await.unwrap(), account.to_string());
    }
    let list = issuer.token_with(account, |claims| {
        claims.aud = Audience::Many(vec!["other".to_owned(), "nova".to_owned()])
    });
    assert_eq!(who(&shop, &list).await.status(), StatusCode::OK);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_are_not_accepted() {
    let issuer = TestIssuer::start().await;
    let shop = start(&issuer).await;
    let account = Uuid::now_v7();
    let missing = shop.client.get(shop.url("/whoami")).send().await.unwrap();
    assert_eq!(missing.headers().get("www-authenticate").unwrap(), "Bearer");
    problem(missing, 401, "unauthorized").await;
    let basic = shop
        .client
        .get(shop.url("/whoami"))
        .header("authorization", "Basic dTpw")
        .send()
        .await
        .unwrap();
    problem(basic, 401, "unauthorized").await;

    let expired = issuer.token_with(account, |claims| claims.exp -= 1000);
    problem(who(&shop, &expired).await, 401, "token_expired").await;

    let valid = issuer.token(account);
    let claims = || nova_claims(&valid);
    let mut tampered = valid.clone().into_bytes();
    // One letter in the middle of the claims.
    let middle = valid.find('.').unwrap() + 10;
    tampered[middle] = if tampered[middle] == b'A' { b'B' } else { b'A' };
    let stranger = TestIssuer::start().await;
    let forged = stranger.sign(&issuer.header(), &claims());
    let unknown_key = stranger.sign(&stranger.header(), &claims());
    let no_key = issuer.sign(
        &Header {
            kid: None,
            ..issuer.header()
        },
        &claims(),
    );
    let other_type = issuer.sign(
        &Header {
            typ: Some("JWT".to_owned()),
            ..issuer.header()
        },
        &claims(),
    );
    let none = {
        let header = format!(
            r#"{{"alg":"none","typ":"at+jwt","kid":"{}"}}"#,
            issuer.header().kid.unwrap()
        );
        format!(
            "{}.{}.",
            BASE64_URL_SAFE_NO_PAD.encode(header),
            valid.split('.').nth(1).unwrap()
        )
    };
    let critical = issuer.sign(
        &Header {
            crit: Some(vec!["b64".to_owned()]),
            ..issuer.header()
        },
        &claims(),
    );
    let not_yet = {
        let mut later = serde_json::to_value(claims()).unwrap();
        later["nbf"] = (claims().iat + 600).into();
        issuer.sign(&issuer.header(), &later)
    };
    // The public key as the secret of an HMAC, the classic confusion.
    let hmac = {
        let header = Header {
            alg: Algorithm::HS256,
            ..issuer.header()
        };
        jsonwebtoken::encode(&header, &claims(), &jsonwebtoken::EncodingKey::from_secret(b"public")).unwrap()
    };
    let cases = [
        (
            "other audience",
            issuer.token_with(account, |claims| claims.aud = Audience::One("other".to_owned())),
        ),
        (
            "other issuer",
            issuer.token_with(account, |claims| claims.iss = "https://elsewhere".to_owned()),
        ),
        ("tampered", String::from_utf8(tampered).unwrap()),
        ("forged", forged),
        ("unknown key", unknown_key),
        ("no key id", no_key),
        ("other type", other_type),
        ("alg none", none),
        ("alg HS256", hmac),
        ("a critical extension", critical),
        ("not valid yet", not_yet),
        ("cut off", valid[..valid.len() - 5].to_owned()),
        ("garbage", "garbage".to_owned()),
        ("dots", "..".to_owned()),
        ("huge", "a".repeat(10_000)),
    ];
    for (name, token) in cases {
        let response = who(&shop, &token).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{name}");
        problem(response, 401, "invalid_token").await;
    }
    assert_eq!(who(&shop, &valid).await.status(), StatusCode::OK);
    shop.stop().await;
}

fn nova_claims(token: &str) -> nova_service::AccessClaims {
    let claims = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&claims).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn verification_goes_on_without_the_issuer() {
    let issuer = TestIssuer::start().await;
    let shop = start(&issuer).await;
    shop.until("/health/ready", |_, text| text.contains("\"ready\"")).await;
    issuer.go_down();
    assert_eq!(who(&shop, &issuer.token(Uuid::now_v7())).await.status(), StatusCode::OK);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_key_the_issuer_is_a_dependency_that_is_down() {
    let issuer = TestIssuer::start().await;
    issuer.go_down();
    let shop = start(&issuer).await;
    shop.until("/health/ready", |status, text| {
        status == StatusCode::OK && text.contains("identity")
    })
    .await;
    let body = problem(
        who(&shop, &issuer.token(Uuid::now_v7())).await,
        503,
        "dependency_unavailable",
    )
    .await;
    assert_eq!(body.detail.as_deref(), Some("identity is unavailable"));
    shop.stop().await;
}

#[tokio::test]
async fn a_withdrawn_key_takes_its_tokens_along() {
    let (old, new) = (TestIssuer::start().await, TestIssuer::start().await);
    let verifier = TokenVerifier::local(old.issuer(), "nova", "shop");
    verifier.set_keys([old.decoding_key(), new.decoding_key()]);
    let token = old.token(Uuid::now_v7());
    assert!(verifier.verify(&token).await.is_ok());
    verifier.set_keys([new.decoding_key()]);
    assert!(verifier.verify(&token).await.is_err());
}
