//! What goes on while something else is down.

use nova_testkit::{Postgres, TestIssuer};
use serde_json::{Value, json};
use user_service::UsersConfig;
use uuid::Uuid;

use crate::support::{Answer, World, config, start};

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_verified_while_the_issuer_is_down() {
    let world = World::start().await;
    world.user("ada").await;
    world.issuer.go_down();
    // Someone else's token, so that it is the key that is remembered and not the token.
    world.user("bob").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_database_it_answers_at_once_and_recovers() {
    let postgres = Postgres::start().await;
    let database = postgres.database("users").await;
    let issuer = TestIssuer::start().await;
    let users = UsersConfig::default();
    let service = start(config(database.config(), &issuer, users)).await;
    let token = issuer.token(Uuid::now_v7());
    let url = service.url("/api/v1/posts");
    let publish = || {
        service
            .client
            .post(&url)
            .bearer_auth(&token)
            .json(&json!({ "text": "x" }))
    };
    Answer::of(publish()).await.expect(201);

    postgres.stop().await;
    let refused = Answer::of(publish()).await;
    refused.problem(503, "dependency_unavailable");
    assert!(!refused.header("retry-after").is_empty());
    let live = service.operations("/health/live").await;
    assert_eq!(live.status(), 200);

    postgres.restart().await;
    service
        .until("/health/ready", |_, text| degraded(text).is_empty())
        .await;
    Answer::of(publish()).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_go_on_while_there_is_no_primary() {
    let postgres = Postgres::start().await;
    let database = postgres.database("users").await;
    let issuer = TestIssuer::start().await;
    let users = UsersConfig::default();
    let service = start(config(database.config(), &issuer, users)).await;
    let token = issuer.token(Uuid::now_v7());
    let feed = || service.client.get(service.url("/api/v1/feed")).bearer_auth(&token);
    let publish = || {
        service
            .client
            .post(service.url("/api/v1/posts"))
            .bearer_auth(&token)
            .json(&json!({ "text": "x" }))
    };
    Answer::of(publish()).await.expect(201);

    postgres.stop().await;
    postgres.restart_as_replica().await;
    service
        .until("/health/ready", |_, text| degraded(text) == ["database"])
        .await;
    let page = Answer::of(feed()).await.expect(200);
    assert_eq!(page.items().len(), 1);
    Answer::of(publish()).await.problem(503, "dependency_unavailable");

    postgres.promote().await;
    service
        .until("/health/ready", |_, text| degraded(text).is_empty())
        .await;
    Answer::of(publish()).await.expect(201);
}

/// The parts that readiness names; before it knows, one that does not exist.
fn degraded(ready: &str) -> Vec<String> {
    let answer: Value = serde_json::from_str(ready).unwrap_or_default();
    let unknown = || vec!["unknown".to_owned()];
    serde_json::from_value(answer["degraded"].clone()).unwrap_or_else(|_| unknown())
}
