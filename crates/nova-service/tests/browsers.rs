//! What a page in a browser meets (CORS), and what `Accept` and `Allow` say.

use nova_service::config::ServerConfig;
use nova_testkit::{Postgres, TestService, server_config};
use reqwest::header::{HeaderMap, HeaderName};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{problem, shop};

const PAGE: &str = "https://nova.example";

async fn start(origins: &[&str]) -> TestService {
    let config = ServerConfig {
        cors_origins: origins.iter().map(|origin| origin.parse().unwrap()).collect(),
        ..server_config()
    };
    let database = Postgres::shared().await.database("shop").await;
    TestService::start(shop(config, &database.config()).0).await
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    let name: HeaderName = name.parse().unwrap();
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

async fn preflight(shop: &TestService, path: &str, origin: &str) -> reqwest::Response {
    let request = shop.client.request(Method::OPTIONS, shop.url(path));
    let request = request
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "authorization,content-type,idempotency-key",
        );
    request.send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_configured_origins_may_use_every_route() {
    let shop = start(&[PAGE, "http://localhost:3000"]).await;
    for (path, origin) in [
        ("/notes", PAGE),
        ("/notes/1", "http://localhost:3000"),
        ("/whoami", PAGE),
        ("/openapi.json", PAGE),
    ] {
        let answer = preflight(&shop, path, origin).await;
        assert!(answer.status().is_success(), "{path}: {answer:?}");
        let headers = answer.headers();
        assert_eq!(header(headers, "access-control-allow-origin"), origin, "{path}");
        let methods = header(headers, "access-control-allow-methods");
        assert!(
            ["GET", "POST", "PUT", "PATCH", "DELETE"]
                .iter()
                .all(|method| methods.contains(method)),
            "{methods}"
        );
        let allowed = header(headers, "access-control-allow-headers");
        assert!(
            ["authorization", "content-type", "idempotency-key"]
                .iter()
                .all(|name| allowed.contains(name)),
            "{allowed}"
        );
        assert_eq!(header(headers, "access-control-max-age"), "600");
        assert!(!headers.contains_key("access-control-allow-credentials"));
    }
    // An error too can be read by the page.
    let request = shop.client.get(shop.url("/whoami")).header("origin", PAGE);
    let refused = request.send().await.unwrap();
    assert_eq!(header(refused.headers(), "access-control-allow-origin"), PAGE);
    assert!(header(refused.headers(), "vary").contains("origin"), "{refused:?}");
    assert!(header(refused.headers(), "access-control-expose-headers").contains("retry-after"));
    problem(refused, 401, "unauthorized").await;
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_pages_are_told_that_they_may_not() {
    for origins in [&[][..], &[PAGE]] {
        let shop = start(origins).await;
        for origin in ["https://elsewhere.example", "https://nova.example.evil.example", "null"] {
            let answer = preflight(&shop, "/notes", origin).await;
            assert!(!answer.headers().contains_key("access-control-allow-origin"));
            let body = problem(answer, 403, "origin_not_allowed").await;
            assert!(body.detail.unwrap().contains("nova.toml"));
            // A program that names an origin is answered as ever, and a browser shows the page nothing of it.
            let request = shop.client.get(shop.url("/plain")).header("origin", origin);
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK);
            assert!(!answer.headers().contains_key("access-control-allow-origin"));
        }
        // Not a browser's.
        let request = shop.client.request(Method::OPTIONS, shop.url("/notes"));
        let answer = request.send().await.unwrap();
        assert!(header(answer.headers(), "allow").contains("POST"), "{answer:?}");
        problem(answer, 405, "method_not_allowed").await;
        shop.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_route_does_not_answer_is_not_done() {
    let shop = start(&[]).await;
    let write = |accept: &'static str| {
        let request = shop.client.post(shop.url("/notes")).header("accept", accept);
        request.json(&json!({ "text": "accepted" })).send()
    };
    let body = problem(write("text/html").await.unwrap(), 406, "not_acceptable").await;
    assert!(body.detail.unwrap().contains("application/json"));
    let notes = || async {
        let page: Value = shop
            .client
            .get(shop.url("/notes"))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        page["items"].as_array().unwrap().len()
    };
    assert_eq!(notes().await, 0);
    assert_eq!(
        write("text/html, */*;q=0.1").await.unwrap().status(),
        StatusCode::CREATED
    );
    assert_eq!(notes().await, 1);
    // What is not described answers whatever it answers.
    let plain = shop.client.get(shop.url("/plain")).header("accept", "image/png");
    assert_eq!(plain.send().await.unwrap().status(), StatusCode::OK);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_has_what_the_chassis_answers() {
    let shop = start(&[]).await;
    let document: Value = shop
        .client
        .get(shop.url("/openapi.json"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let statuses = |method: &str| {
        let responses = document["paths"]["/notes"][method]["responses"].as_object().unwrap();
        responses.keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(statuses("get"), ["200", "400", "406", "500", "503", "504"]);
    let of_post = [
        "201", "400", "406", "408", "413", "415", "422", "429", "500", "503", "504",
    ];
    assert_eq!(statuses("post"), of_post);
    shop.stop().await;
}
