//! Calls to another service with the real client, over real connections, through a proxy that breaks them.

mod breaker;
mod connections;
mod crossing;
mod faults;
mod observed;
mod retries;

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use nova_service::config::CallsConfig;
use nova_service::{Answer, CallError, Client};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};

/// Longer than anything here may take; whatever takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// Settings under which the breaker stays closed and a retry is not refused by the budget.
fn calls(change: impl FnOnce(&mut CallsConfig)) -> CallsConfig {
    let mut config = CallsConfig {
        timeout: Duration::from_secs(2),
        connect_timeout: Duration::from_millis(300),
        retry_delay: Duration::from_millis(10),
        retry_delay_max: Duration::from_millis(50),
        retry_floor: 1000,
        breaker_minimum_calls: 100_000,
        ..CallsConfig::default()
    };
    change(&mut config);
    config
}

fn client(address: impl std::fmt::Display, config: &CallsConfig) -> Client {
    Client::new("host", &format!("http://{address}"), config).unwrap()
}

/// A call that must end by itself.
async fn ended(call: nova_service::CallBuilder<'_>) -> Result<Answer, CallError> {
    timeout(PATIENCE, call.send()).await.expect("the call hangs")
}

async fn until(mut wanted: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !wanted() {
        assert!(Instant::now() < deadline, "this never happens");
        sleep(Duration::from_millis(5)).await;
    }
}

/// One request as the host saw it.
struct Seen {
    method: Method,
    headers: HeaderMap,
    body: Bytes,
    at: Instant,
}

/// A plain server that answers as it was told, or 200.
#[derive(Clone)]
struct Host {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    replies: Arc<Mutex<VecDeque<Response>>>,
    /// One for each request to `/hold` that may go on.
    go: Arc<Semaphore>,
}

impl Host {
    async fn start() -> Self {
        Self::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await
    }

    async fn start_at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let host = Self {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
            replies: Arc::default(),
            go: Arc::new(Semaphore::new(0)),
        };
        let router = Router::new()
            .route("/hold", any(hold))
            .route("/endless", any(endless))
            .route("/large", any(|| async { "x".repeat(2 << 20) }))
            .fallback(answer)
            .with_state(host.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        host
    }

    fn reply(&self, status: u16, headers: &[(&'static str, &'static str)]) {
        let mut response = StatusCode::from_u16(status).unwrap().into_response();
        for (name, value) in headers {
            let (name, value) = (HeaderName::from_static(name), HeaderValue::from_static(value));
            response.headers_mut().insert(name, value);
        }
        self.replies.lock().unwrap().push_back(response);
    }

    fn hits(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    fn note(&self, method: Method, headers: HeaderMap, body: Bytes) {
        self.seen.lock().unwrap().push(Seen {
            method,
            headers,
            body,
            at: Instant::now(),
        });
    }
}

async fn answer(State(host): State<Host>, method: Method, headers: HeaderMap, body: Bytes) -> Response {
    host.note(method, headers, body);
    let reply = host.replies.lock().unwrap().pop_front();
    reply.unwrap_or_else(|| "fine".into_response())
}

async fn hold(State(host): State<Host>, method: Method, headers: HeaderMap, body: Bytes) -> &'static str {
    host.note(method, headers, body);
    host.go.acquire().await.unwrap().forget();
    "held"
}

/// A body that goes on for ever, slowly enough to be kept.
async fn endless() -> Body {
    let chunk = || async {
        sleep(Duration::from_millis(20)).await;
        Some((Ok::<_, std::convert::Infallible>(Bytes::from_static(b"on and ")), ()))
    };
    Body::from_stream(futures::stream::unfold((), move |()| chunk()))
}
