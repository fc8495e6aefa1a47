//! One's own profile with the account behind it, and without when auth-service does not give it.

use std::time::Duration;

use nova_service::TokenVerifier;
use nova_testkit::{Postgres, TestIssuer};
use reqwest::Method;
use serde_json::json;
use user_service::UsersConfig;
use uuid::Uuid;

use crate::support::{Answer, FakeAuth, Says, World, config, fake_account, start};

fn is_partial(me: &Answer) {
    assert!(me.flag("/partial"), "{me:?}");
    assert_eq!(me.body["missing"], json!(["account"]), "{me:?}");
    assert!(
        me.body["account"].is_null() && me.body.get("account").is_some(),
        "{me:?}"
    );
    assert_eq!(me.text("/username"), "ada");
}

fn is_whole(me: &Answer) {
    assert!(!me.flag("/partial"), "{me:?}");
    assert_eq!(me.body["missing"], json!([]), "{me:?}");
    assert_eq!(me.text("/account/email"), "ada@example.com", "{me:?}");
    assert_eq!(me.text("/username"), "ada");
}

#[tokio::test(flavor = "multi_thread")]
async fn ones_own_profile_has_the_account_and_tells_the_present_session() {
    let world = World::start().await;
    let mut ada = world.user("ada").await;
    let session = Uuid::now_v7();
    ada.token = world.issuer.token_with(ada.id, |claims| claims.sid = session);
    world.auth.says(Says::Session(session));
    let me = world.get(&ada, "/users/me").await.expect(200);
    is_whole(&me);
    assert_eq!(me.id(), ada.id.to_string());
    assert_eq!(me.text("/account/sessions/0/id"), session.to_string());
    let current = ["/account/sessions/0/current", "/account/sessions/1/current"].map(|pointer| me.flag(pointer));
    assert_eq!(current, [true, false]);
    assert_eq!(me.text("/account/sessions/0/address"), "192.0.2.7");
    // Nobody else is told, not even oneself by another way.
    let asked = world.auth.asked();
    let by_id = world.get(&ada, &format!("/users/{}", ada.id)).await.expect(200);
    assert!(by_id.body.get("account").is_none() && by_id.body.get("partial").is_none());
    assert_eq!(world.auth.asked(), asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_asks_in_its_own_name_with_one_token_for_many_calls() {
    let world = World::start().await;
    let ada = world.user("ada").await;
    let answers = futures::future::join_all((0..20).map(|_| world.get(&ada, "/users/me"))).await;
    answers.iter().for_each(is_whole);
    assert_eq!(world.issuer.service_tokens_given(), 1);
    assert_eq!(world.auth.asked(), 20);
    let verifier = TokenVerifier::local(world.issuer.issuer(), "nova", "auth-service");
    verifier.set_keys([world.issuer.decoding_key()]);
    let shown = world.auth.bearer();
    assert_eq!(&*verifier.verify_service(&shown).await.unwrap().name, "user-service");
    assert!(
        verifier.verify(&shown).await.is_err(),
        "a service's token passes as an account's"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_errors_and_silence_leave_the_account_out() {
    let world = World::start().await;
    let ada = world.user("ada").await;
    let good = fake_account(ada.id, &[]);
    let changed = |name: &str, value: serde_json::Value| {
        let mut body = good.clone();
        body[name] = value;
        body.to_string()
    };
    let wrong = [
        (200, String::new()),
        (200, "null".to_owned()),
        (200, "[]".to_owned()),
        (200, "<html>".to_owned()),
        (200, "\u{0}\u{1}".to_owned()),
        (200, good.to_string()[..40].to_owned()),
        (200, changed("email", json!(null))),
        (200, changed("email", json!(""))),
        (200, changed("email", json!("x".repeat(1000)))),
        (200, changed("created_at", json!("yesterday"))),
        (200, changed("sessions", json!({}))),
        (200, changed("sessions", json!([{ "id": 1 }]))),
        (200, changed("id", json!(Uuid::now_v7()))),
        (204, String::new()),
        (302, String::new()),
        (404, "{}".to_owned()),
        (500, good.to_string()),
    ];
    for (status, body) in wrong {
        world.auth.says(Says::Body(status, body.clone()));
        let me = world.get(&ada, "/users/me").await.expect(200);
        assert!(me.flag("/partial"), "{status} {body}: {me:?}");
        is_partial(&me);
    }
    world.auth.says(Says::Nothing);
    is_partial(&world.get(&ada, "/users/me").await.expect(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_refused_is_replaced() {
    let world = World::start().await;
    let ada = world.user("ada").await;
    is_whole(&world.get(&ada, "/users/me").await.expect(200));
    world.auth.says(Says::Body(401, "{}".to_owned()));
    is_partial(&world.get(&ada, "/users/me").await.expect(200));
    world.auth.says(Says::Account);
    is_whole(&world.get(&ada, "/users/me").await.expect(200));
    assert_eq!(world.issuer.service_tokens_given(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_or_a_dead_auth_service_leaves_the_account_out() {
    let database = Postgres::shared().await.database("users").await;
    let auth = FakeAuth::default();
    let issuer = TestIssuer::start_with(auth.routes()).await;
    let users = UsersConfig {
        account_timeout: Duration::from_millis(500),
        ..UsersConfig::default()
    };
    let good = config(database.config(), &issuer, users);
    let (mut dead, mut stranger) = (good.clone(), good);
    dead.credentials.auth_service_url = format!("http://127.0.0.1:{}", nova_testkit::free_port());
    stranger.credentials.client_secret = nova_service::config::SecretFile::from_text("wrong");
    let token = issuer.token(Uuid::now_v7());
    for config in [dead, stranger] {
        let service = start(config).await;
        let url = service.url("/api/v1/users/me");
        let me = Answer::of(service.client.request(Method::GET, url).bearer_auth(&token)).await;
        assert!(me.expect(200).flag("/partial"));
    }
    assert_eq!((auth.asked(), issuer.service_tokens_given()), (0, 0));
}
