//! Every error is a problem, whoever makes it.

use nova_service::{EraseAccounts, Scope, TokenVerifier};
use nova_testkit::{Postgres, TestIssuer, TestService, server_config};
use reqwest::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{problem, shop, shop_with_verifier};

async fn start() -> TestService {
    let database = Postgres::shared().await.database("shop").await;
    TestService::start(shop(server_config(), &database.config()).0).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_exist() {
    let shop = start().await;
    let get = |path: &str| shop.client.get(shop.url(path)).send();
    problem(get("/nowhere").await.unwrap(), 404, "not_found").await;
    problem(
        get(&format!("/notes/{}", Uuid::now_v7())).await.unwrap(),
        404,
        "not_found",
    )
    .await;
    for odd in ["1", "%FF%FE", "%00", "';drop table notes;--", "..%2F..%2Fetc"] {
        problem(get(&format!("/notes/{odd}")).await.unwrap(), 404, "not_found").await;
    }
    let response = shop.client.delete(shop.url("/notes")).send().await.unwrap();
    let allow = response.headers().get("allow").unwrap().to_str().unwrap().to_owned();
    assert!(allow.contains("GET") && allow.contains("POST"), "{allow}");
    problem(response, 405, "method_not_allowed").await;
    problem(shop.operations("/nowhere").await, 404, "not_found").await;
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_wrong() {
    let shop = start().await;
    let post = |body: &'static [u8]| {
        shop.client
            .post(shop.url("/notes"))
            .header("content-type", "application/json")
            .body(body)
            .send()
    };
    problem(post(b"").await.unwrap(), 400, "invalid_json").await;
    problem(post(b"{\"text\":").await.unwrap(), 400, "invalid_json").await;
    let body = problem(post(b"{\"text\":\"\xff\"}").await.unwrap(), 400, "invalid_json").await;
    assert_eq!(body.detail.as_deref(), Some("the body is not UTF-8"));
    problem(post(b"{\"text\":1}").await.unwrap(), 422, "validation_failed").await;
    problem(post(b"[]").await.unwrap(), 422, "validation_failed").await;
    // PostgreSQL cannot keep a NUL in text.
    problem(post(b"{\"text\":\"a\\u0000b\"}").await.unwrap(), 400, "bad_request").await;
    let untyped = shop.client.post(shop.url("/notes")).body("{}").send().await.unwrap();
    problem(untyped, 415, "unsupported_media_type").await;
    let kept = shop
        .client
        .post(shop.url("/notes"))
        .json(&json!({ "text": "'; drop table notes; --" }))
        .send()
        .await
        .unwrap();
    assert_eq!(kept.status(), StatusCode::CREATED);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages() {
    let shop = start().await;
    for number in 0..5 {
        let response = shop
            .client
            .post(shop.url("/notes"))
            .json(&json!({ "text": number.to_string() }))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::CREATED);
    }
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let url = shop.url(&format!("/notes?limit=2{cursor}"));
        let page: Value = shop.client.get(url).send().await.unwrap().json().await.unwrap();
        seen.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|id| id.as_str().unwrap().to_owned()),
        );
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let mut sorted = seen.clone();
    sorted.dedup();
    assert_eq!((seen.len(), sorted.len()), (5, 5), "{seen:?}");
    for (query, code) in [
        ("limit=0", "invalid_parameter"),
        ("limit=101", "invalid_parameter"),
        ("limit=-1", "invalid_parameter"),
        ("limit=many", "invalid_parameter"),
        ("cursor=garbage", "invalid_cursor"),
        ("cursor=%FF", "invalid_cursor"),
        ("cursor=bnVsbA", "invalid_cursor"),
    ] {
        problem(
            shop.client
                .get(shop.url(&format!("/notes?{query}")))
                .send()
                .await
                .unwrap(),
            400,
            code,
        )
        .await;
    }
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_is_an_internal_error_and_the_service_goes_on() {
    let shop = start().await;
    let body = problem(
        shop.client.get(shop.url("/panic")).send().await.unwrap(),
        500,
        "internal",
    )
    .await;
    assert_eq!(body.detail, None);
    problem(
        shop.client.post(shop.url("/panic")).send().await.unwrap(),
        500,
        "internal",
    )
    .await;
    let plain = shop.client.get(shop.url("/plain")).send().await.unwrap();
    assert_eq!(plain.text().await.unwrap(), "plain");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_another_service_keeps_its_id_and_a_strangers_gets_one() {
    let issuer = TestIssuer::start().await;
    let verifier = TokenVerifier::local(issuer.issuer(), "nova", EraseAccounts::AUDIENCE);
    verifier.set_keys([issuer.decoding_key()]);
    let database = Postgres::shared().await.database("shop").await;
    let shop = TestService::start(shop_with_verifier(server_config(), &database.config(), verifier)).await;
    let send = |id: &'static str, token: &str| {
        let request = shop.client.get(shop.url("/nowhere")).header("x-request-id", id);
        request.bearer_auth(token).send()
    };
    let service = issuer.service_token::<EraseAccounts>("auth-service");
    let body = problem(send("my-id_1.2", &service).await.unwrap(), 404, "not_found").await;
    assert_eq!(body.request_id.as_deref(), Some("my-id_1.2"));
    let account = issuer.token(Uuid::now_v7());
    for (id, token) in [
        ("with space and \"quotes\"", &*service),
        ("of-an-account", &account),
        ("made-up", "nonsense"),
        ("of-nobody", ""),
    ] {
        let body = problem(send(id, token).await.unwrap(), 404, "not_found").await;
        assert!(Uuid::parse_str(&body.request_id.unwrap()).is_ok(), "{id}");
    }
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn openapi_describes_the_routes() {
    let shop = start().await;
    let api: Value = shop
        .client
        .get(shop.url("/openapi.json"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert!(
        api["openapi"].as_str().unwrap().starts_with("3.1"),
        "{}",
        api["openapi"]
    );
    assert_eq!(
        (&api["info"]["title"], &api["info"]["version"]),
        (&json!("shop"), &json!("1.2.3"))
    );
    assert!(api["paths"]["/notes"]["get"].is_object() && api["paths"]["/notes"]["post"].is_object());
    assert_eq!(api["components"]["securitySchemes"]["access_token"]["scheme"], "bearer");
    assert!(api["components"]["schemas"]["Problem"]["properties"]["code"].is_object());
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_name_route_method_and_status() {
    let shop = start().await;
    shop.client.get(shop.url("/plain")).send().await.unwrap();
    let text = shop.operations("/metrics").await.text().await.unwrap();
    let line = "http_server_request_duration_seconds_count{http_request_method=\"GET\",http_route=\"/plain\",http_response_status_code=\"200\"}";
    assert!(text.contains(line), "{text}");
    for name in [
        "nova_part_up{part=\"database\"} 1",
        "db_client_connection_count{",
        "nova_setting{name=\"max_in_flight\"} 512",
        "process_resident_memory_bytes",
    ] {
        assert!(text.contains(name), "{name} is missing in\n{text}");
    }
    shop.stop().await;
}

#[test]
fn docs_list_the_codes() {
    nova_testkit::documented("Every service", nova_service::CODES);
}
