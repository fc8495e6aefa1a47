//! Stores that are down: the service starts or goes on without them, says so, and recovers by itself.

use nova_testkit::{Postgres, Redis, TestService, server_config};
use reqwest::StatusCode;
use serde_json::json;

use crate::support::{problem, shop, shop_with_redis};

async fn write(shop: &TestService) -> reqwest::Response {
    shop.client
        .post(shop.url("/notes"))
        .json(&json!({ "text": "hello" }))
        .send()
        .await
        .unwrap()
}

async fn cached(shop: &TestService) -> String {
    shop.client
        .get(shop.url("/cached"))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_goes_away_and_comes_back() {
    let server = Postgres::start().await;
    let database = server.database("shop").await;
    let shop = TestService::start(shop(server_config(), &database.config()).0).await;
    assert_eq!(write(&shop).await.status(), StatusCode::CREATED);

    server.stop().await;
    shop.until("/health/ready", |status, text| {
        status == StatusCode::OK && text.contains("\"database\"")
    })
    .await;
    let refused = write(&shop).await;
    assert!(refused.headers().contains_key("retry-after"));
    let body = problem(refused, 503, "dependency_unavailable").await;
    assert_eq!(body.detail.as_deref(), Some("database is unavailable"));
    assert_eq!(shop.operations("/health/live").await.status(), StatusCode::OK);
    // What needs no database goes on.
    assert_eq!(
        shop.client.get(shop.url("/plain")).send().await.unwrap().status(),
        StatusCode::OK
    );

    server.restart().await;
    shop.until("/health/ready", |_, text| text.contains("\"ready\"")).await;
    assert_eq!(write(&shop).await.status(), StatusCode::CREATED);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_starts_before_its_postgres() {
    let server = Postgres::start().await;
    let database = server.database("shop").await;
    server.stop().await;
    let shop = TestService::start_unready(shop(server_config(), &database.config()).0).await;
    shop.until("/health/startup", |status, text| {
        status == StatusCode::SERVICE_UNAVAILABLE && text.contains("cannot connect")
    })
    .await;
    assert_eq!(shop.operations("/health/live").await.status(), StatusCode::OK);
    // Refused at the door, not after a wait for a connection.
    let refused = write(&shop).await;
    assert!(refused.headers().contains_key("retry-after"));
    let body = problem(refused, 503, "starting").await;
    assert_eq!(body.detail.as_deref(), Some("waiting for database"));
    server.restart().await;
    shop.until("/health/ready", |_, text| text.contains("\"ready\"")).await;
    assert_eq!(write(&shop).await.status(), StatusCode::CREATED);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_behind_the_primarys_door_is_not_written_to() {
    let server = Postgres::start().await;
    let database = server.database("shop").await;
    let shop = TestService::start(shop(server_config(), &database.config()).0).await;
    assert_eq!(write(&shop).await.status(), StatusCode::CREATED);
    // As after a failover whose gateway has not noticed: connections succeed and lead to a server that only reads.
    server.stop().await;
    server.restart_as_replica().await;
    shop.until("/health/ready", |_, text| text.contains("is a replica"))
        .await;
    problem(write(&shop).await, 503, "dependency_unavailable").await;
    server.promote().await;
    shop.until("/health/ready", |_, text| text.contains("\"ready\"")).await;
    assert_eq!(write(&shop).await.status(), StatusCode::CREATED);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_sessions_cost_no_further_request() {
    let server = Postgres::start().await;
    let database = server.database("shop").await;
    let shop = TestService::start(shop(server_config(), &database.config()).0).await;
    for _ in 0..5 {
        assert_eq!(write(&shop).await.status(), StatusCode::CREATED);
    }
    server.end_sessions("shop_app").await;
    // Connections that were used a moment ago are not tested before use, so one request may fall on a broken one;
    // that one makes all others be tested.
    let mut failed = 0;
    for _ in 0..20 {
        let response = write(&shop).await;
        if response.status() != StatusCode::CREATED {
            failed += 1;
        }
    }
    assert!(failed <= 1, "{failed} of 20 requests failed");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_starts_without_redis() {
    let database = Postgres::shared().await.database("shop").await;
    let shop = TestService::start(shop_with_redis(
        server_config(),
        &database.config(),
        &Redis::unreachable_config(),
    ))
    .await;
    assert_eq!(cached(&shop).await, "without redis");
    let ready = shop.operations("/health/ready").await;
    assert_eq!(ready.status(), StatusCode::OK);
    assert!(ready.text().await.unwrap().contains("redis"));
    assert_eq!(write(&shop).await.status(), StatusCode::CREATED);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_goes_away_and_comes_back() {
    let mut redis = Redis::start().await;
    let database = Postgres::shared().await.database("shop").await;
    let shop = TestService::start(shop_with_redis(server_config(), &database.config(), &redis.config())).await;
    shop.until("/health/ready", |_, text| text.contains("\"ready\"")).await;
    assert_eq!(cached(&shop).await, "with redis");
    redis.stop().await;
    shop.until("/health/ready", |status, text| {
        status == StatusCode::OK && text.contains("redis")
    })
    .await;
    assert_eq!(cached(&shop).await, "without redis");
    redis.restart().await;
    shop.until("/health/ready", |_, text| text.contains("\"ready\"")).await;
    assert_eq!(cached(&shop).await, "with redis");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_followed_to_its_new_master() {
    let mut redis = Redis::with_replica().await;
    let database = Postgres::shared().await.database("shop").await;
    let shop = TestService::start(shop_with_redis(server_config(), &database.config(), &redis.config())).await;
    shop.until("/health/ready", |_, text| text.contains("\"ready\"")).await;
    // The old master becomes a replica and says READONLY.
    redis.fail_over().await;
    redis.until_first_is_replica().await;
    shop.until("/health/ready", |_, text| text.contains("\"ready\"")).await;
    assert_eq!(cached(&shop).await, "with redis");
    // And it is not needed any more.
    redis.stop().await;
    shop.until("/health/ready", |_, text| text.contains("\"ready\"")).await;
    assert_eq!(cached(&shop).await, "with redis");
    shop.stop().await;
}
