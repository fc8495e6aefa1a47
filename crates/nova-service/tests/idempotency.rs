//! A write that is repeated with its key happens once.

use futures::future::join_all;
use nova_testkit::{Postgres, TestService, server_config};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::support::{problem, shop};

async fn post(shop: &TestService, key: &str, text: &str) -> Response {
    shop.client
        .post(shop.url("/notes"))
        .header("Idempotency-Key", key)
        .json(&json!({ "text": text }))
        .send()
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_write_gets_the_first_answer() {
    let database = Postgres::shared().await.database("shop").await;
    let shop = TestService::start(shop(server_config(), &database.config()).0).await;
    let first = post(&shop, "key-1", "hello").await;
    assert_eq!(
        (first.status(), first.headers().get("idempotent-replayed")),
        (StatusCode::CREATED, None)
    );
    let again = post(&shop, "key-1", "hello").await;
    assert_eq!(again.status(), StatusCode::CREATED);
    assert_eq!(again.headers().get("idempotent-replayed").unwrap(), "true");
    let (first, again): (Value, Value) = (first.json().await.unwrap(), again.json().await.unwrap());
    assert_eq!(first, again);

    problem(
        post(&shop, "key-1", "something else").await,
        422,
        "idempotency_key_reused",
    )
    .await;
    problem(post(&shop, "", "hello").await, 400, "invalid_idempotency_key").await;
    problem(
        post(&shop, &"k".repeat(129), "hello").await,
        400,
        "invalid_idempotency_key",
    )
    .await;
    let notes: i64 = sqlx::query_scalar("select count(*) from notes")
        .fetch_one(&database.app())
        .await
        .unwrap();
    assert_eq!(notes, 1);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn simultaneous_writes_with_one_key_happen_once() {
    let database = Postgres::shared().await.database("shop").await;
    let shop = TestService::start(shop(server_config(), &database.config()).0).await;
    let answers = join_all((0..20).map(|_| post(&shop, "key-2", "hello"))).await;
    let replayed = answers
        .iter()
        .filter(|answer| answer.headers().contains_key("idempotent-replayed"))
        .count();
    assert!(answers.iter().all(|answer| answer.status() == StatusCode::CREATED));
    assert_eq!(replayed, 19);
    let mut ids = Vec::new();
    for answer in answers {
        ids.push(answer.json::<Value>().await.unwrap()["id"].to_string());
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
    let notes: i64 = sqlx::query_scalar("select count(*) from notes")
        .fetch_one(&database.app())
        .await
        .unwrap();
    assert_eq!(notes, 1);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_write_leaves_its_key_free() {
    let database = Postgres::shared().await.database("shop").await;
    let shop = TestService::start(shop(server_config(), &database.config()).0).await;
    problem(post(&shop, "key-3", "a\0b").await, 400, "bad_request").await;
    assert_eq!(post(&shop, "key-3", "hello").await.status(), StatusCode::CREATED);
    shop.stop().await;
}
