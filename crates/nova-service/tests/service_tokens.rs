//! A service's own tokens: how they are got, kept and told apart from accounts'.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures::future::join_all;
use nova_service::config::{CallsConfig, SecretFile};
use nova_service::{Client, EraseAccounts, OwnTokenError, Problem, Scope, ServiceTokens, TokenVerifier};
use nova_testkit::TestIssuer;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(10);

/// What the token endpoint answers; nothing at all for `None`.
type Script = Arc<Mutex<Option<(u16, String)>>>;

#[derive(Clone)]
struct Endpoint {
    script: Script,
    asked: Arc<AtomicU32>,
}

impl Endpoint {
    async fn start(answer: Value) -> (Self, ServiceTokens) {
        let this = Self {
            script: Arc::new(Mutex::new(Some((200, answer.to_string())))),
            asked: Arc::default(),
        };
        let router = Router::new()
            .route("/api/v1/auth/token", post(answer_as_told))
            .with_state(this.clone());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let client = Client::new("auth-service", &url, &CallsConfig::default()).unwrap();
        let tokens = ServiceTokens::new::<EraseAccounts>("shop", &SecretFile::from_text("open sesame"), client);
        (this, tokens)
    }

    fn answers(&self, answer: Option<(u16, String)>) {
        *self.script.lock().unwrap() = answer;
    }

    fn asked(&self) -> u32 {
        self.asked.load(Ordering::Relaxed)
    }
}

async fn answer_as_told(State(endpoint): State<Endpoint>) -> Response {
    endpoint.asked.fetch_add(1, Ordering::Relaxed);
    let told = endpoint.script.lock().unwrap().clone();
    match told {
        Some((status, body)) => (StatusCode::from_u16(status).unwrap(), body).into_response(),
        None => std::future::pending().await,
    }
}

fn token(name: &str, life: u64) -> Value {
    json!({ "access_token": name, "token_type": "Bearer", "expires_in": life })
}

#[tokio::test(flavor = "multi_thread")]
async fn many_that_need_a_token_fetch_one() {
    let (endpoint, tokens) = Endpoint::start(token("first", 300)).await;
    let got = join_all((0..50).map(|_| tokens.get(PATIENCE))).await;
    assert!(got.into_iter().all(|token| &*token.unwrap() == "first"));
    assert_eq!(endpoint.asked(), 1);
    endpoint.answers(Some((200, token("second", 300).to_string())));
    tokens.forget("another");
    assert_eq!(&*tokens.get(PATIENCE).await.unwrap(), "first");
    tokens.forget("first");
    assert_eq!(&*tokens.get(PATIENCE).await.unwrap(), "second");
    assert_eq!(endpoint.asked(), 2);
    assert!(!format!("{tokens:?}").contains("sesame"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_about_to_expire_is_not_kept() {
    for life in [0, 1, 30] {
        let (endpoint, tokens) = Endpoint::start(token("short", life)).await;
        for asked in 1..=2 {
            assert_eq!(&*tokens.get(PATIENCE).await.unwrap(), "short");
            assert_eq!(endpoint.asked(), asked, "{life}");
        }
    }
    let (endpoint, tokens) = Endpoint::start(token("absurd", u64::MAX)).await;
    for _ in 0..2 {
        tokens.get(PATIENCE).await.unwrap();
    }
    assert_eq!(endpoint.asked(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_longer_than_they_may_and_the_next_one_is_served() {
    let (endpoint, tokens) = Endpoint::start(token("late", 300)).await;
    endpoint.answers(None);
    let impatient = || tokens.get(Duration::from_millis(100));
    let waiting = tokio::time::timeout(PATIENCE, join_all((0..10).map(|_| impatient()))).await;
    for refused in waiting.expect("someone waited for ever") {
        let refused = refused.unwrap_err();
        assert!(
            matches!(refused, OwnTokenError::Late | OwnTokenError::Call(_)),
            "{refused:?}"
        );
        let problem = Problem::from(refused);
        assert_eq!(problem.code().code, "dependency_unavailable");
        assert!(problem.to_string().contains("auth-service"));
    }
    assert!(tokens.get(Duration::ZERO).await.is_err());
    endpoint.answers(Some((200, token("late", 300).to_string())));
    assert_eq!(&*tokens.get(PATIENCE).await.unwrap(), "late");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_token_is_none() {
    let (endpoint, tokens) = Endpoint::start(json!({})).await;
    for (status, body) in [
        (200, String::new()),
        (200, "{}".to_owned()),
        (200, "<html>".to_owned()),
        (200, token("", 300).to_string()),
        (200, token("a b", 300).to_string()),
        (200, token("a\r\nset-cookie: b", 300).to_string()),
        (200, token("ä", 300).to_string()),
        (
            200,
            json!({ "access_token": "a", "token_type": "mac", "expires_in": 300 }).to_string(),
        ),
        (
            200,
            json!({ "access_token": "a", "token_type": "Bearer", "expires_in": -1 }).to_string(),
        ),
        (401, token("a", 300).to_string()),
        (302, String::new()),
    ] {
        endpoint.answers(Some((status, body.clone())));
        assert!(tokens.get(PATIENCE).await.is_err(), "{status} {body}");
    }
}

#[tokio::test]
async fn a_services_token_and_an_accounts_never_pass_as_each_other() {
    let (issuer, next) = (TestIssuer::start().await, TestIssuer::start().await);
    let verifier = TokenVerifier::local(issuer.issuer(), "nova", EraseAccounts::AUDIENCE);
    verifier.set_keys([issuer.decoding_key(), next.decoding_key()]);
    let (account, service) = (
        issuer.token(Uuid::now_v7()),
        issuer.service_token::<EraseAccounts>("shop"),
    );
    for _ in 0..2 {
        assert!(verifier.verify(&account).await.is_ok() && verifier.verify_service(&account).await.is_err());
        assert!(verifier.verify(&service).await.is_err());
        assert_eq!(&*verifier.verify_service(&service).await.unwrap().name, "shop");
    }
    // The same claims under the other type are no account's either.
    let disguised = issuer.sign(
        &issuer.header(),
        &json!({ "sub": "shop", "exp": u32::MAX, "iss": issuer.issuer(), "aud": ["nova", "user-service"] }),
    );
    assert!(verifier.verify(&disguised).await.is_err() && verifier.verify_service(&disguised).await.is_err());
    verifier.set_keys([next.decoding_key()]);
    assert!(
        verifier.verify_service(&service).await.is_err(),
        "a withdrawn key's token is remembered"
    );
}
