//! One service calls another: what crosses with the call, and what comes back up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::get;
use nova_service::config::ServerConfig;
use nova_service::{Client, Json, Problem, Service};
use nova_testkit::{TestService, server_config};
use reqwest::StatusCode;
use serde_json::{Value, json};
use utoipa_axum::router::OpenApiRouter;

use super::{Host, calls};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// Answers with what it was told about time and identity.
async fn seen(headers: HeaderMap) -> Json<Value> {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(ToOwned::to_owned)
    };
    Json(json!({
        "timeout": text("nova-timeout-ms"),
        "trace": text("traceparent"),
        "request": text("x-request-id"),
    }))
}

/// A service with one slow route and a fast one.
pub(super) async fn slow_service() -> TestService {
    let routes = OpenApiRouter::new()
        .route("/slow", get(std::future::pending::<()>))
        .route("/fast", get(|| async { "fast" }))
        .route("/seen", get(seen).post(seen));
    TestService::start(Service::new("below", "1", server_config()).routes(routes)).await
}

async fn pass_on(State(client): State<Client>, method: axum::http::Method) -> Result<Json<Value>, Problem> {
    let call = if method == axum::http::Method::GET {
        client.get("/seen")
    } else {
        client.post("/seen")
    };
    Ok(Json(call.send().await?.success()?.json()?))
}

async fn ask_silent(State(client): State<Client>) -> &'static str {
    match client.get("/hold").send().await {
        Ok(_) => "whole",
        Err(_) => "partial",
    }
}

/// Its callers, and those of whom it calls, are known by their address.
fn among_known_peers() -> ServerConfig {
    ServerConfig {
        trusted_peers: vec!["127.0.0.1".parse().unwrap()],
        ..server_config()
    }
}

async fn above(client: &Client) -> TestService {
    let routes = OpenApiRouter::new()
        .route("/", get(pass_on).post(pass_on))
        .route("/partial", get(ask_silent))
        .with_state(client.clone());
    TestService::start(
        Service::new("above", "1", among_known_peers())
            .client(client)
            .routes(routes),
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn deadline_and_identity_cross_in_reads_and_writes() {
    let below = slow_service().await;
    let client = Client::new("crossing", &below.url(""), &calls(|config| config.retry_max = 0)).unwrap();
    let above = above(&client).await;
    for request in [above.client.get(above.url("/")), above.client.post(above.url("/"))] {
        let request = request
            .header("nova-timeout-ms", "1500")
            .header("x-request-id", "request-7")
            .header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"));
        let seen: Value = request.send().await.unwrap().json().await.unwrap();
        let left: u64 = seen["timeout"].as_str().unwrap().parse().unwrap();
        // The service keeps a little for its own answer.
        assert!(left > 0 && left <= 1450, "{seen}");
        assert_eq!(seen["request"], "request-7");
        let trace = seen["trace"].as_str().unwrap();
        assert!(trace.contains(TRACE) && !trace.contains("00f067aa0ba902b7"), "{trace}");
    }
    above.stop().await;
    below.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_call_runs_out_of_time_is_answered_in_time() {
    let silent = Host::start().await;
    let config = calls(|config| config.retry_max = 0);
    let client = Client::new("silent", &format!("http://{}", silent.address), &config).unwrap();
    let above = above(&client).await;
    // The service has to answer before its own caller gives up, at the same deadline.
    let top = super::client(above.address(), &config);
    let answer = super::ended(top.get("/partial").timeout(Duration::from_secs(1))).await;
    assert_eq!(answer.unwrap().body, "partial");
    above.stop().await;
}

/// How often the middle of three was asked, and what it calls.
type Middle = (Arc<AtomicUsize>, Client);

async fn middle(State((asked, client)): State<Middle>) -> Result<&'static str, Problem> {
    asked.fetch_add(1, Ordering::Relaxed);
    client.get("/").send().await?.success()?;
    Ok("fine")
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_tier_next_to_the_fault_repeats() {
    let host = Host::start().await;
    for _ in 0..100 {
        host.reply(500, &[]);
    }
    let config = calls(|config| config.retry_max = 2);
    let client = Client::new("lowest", &format!("http://{}", host.address), &config).unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let routes = OpenApiRouter::new()
        .route("/", get(middle))
        .with_state((asked.clone(), client.clone()));
    let service = TestService::start(
        Service::new("middle", "1", server_config())
            .client(&client)
            .routes(routes),
    )
    .await;

    let top = super::client(service.address(), &config);
    let answer = tokio::time::timeout(Duration::from_secs(10), top.get("/").send())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!((asked.load(Ordering::Relaxed), host.hits()), (1, 3));
    service.stop().await;
}
