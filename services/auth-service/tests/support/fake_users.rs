//! user-service's side of a deletion, as a test wants it: what it was told, and what it answers.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::delete;
use tokio::net::TcpSocket;
use tokio::task::JoinHandle;

/// What it answers from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    Done,
    /// Done, after a while.
    Slowly,
    /// It works on it.
    Erasing,
    /// The same, as the version before says it.
    Unfinished,
    Status(u16),
    /// Nothing, and never ends.
    Nothing,
}

pub(crate) struct FakeUsers {
    address: SocketAddr,
    state: Fake,
    server: Option<JoinHandle<()>>,
}

#[derive(Clone)]
struct Fake {
    says: Arc<Mutex<Says>>,
    told: Arc<Mutex<HashMap<String, u32>>>,
    bearer: Arc<Mutex<String>>,
}

impl FakeUsers {
    /// At an address of its own, and not running yet.
    pub(crate) fn down() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, nova_testkit::free_port())),
            state: Fake {
                says: Arc::new(Mutex::new(Says::Done)),
                told: Arc::default(),
                bearer: Arc::default(),
            },
            server: None,
        }
    }

    pub(crate) fn up(says: Says) -> Self {
        let mut this = Self::down();
        this.says(says);
        this.start();
        this
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn start(&mut self) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(self.address).unwrap();
        let listener = socket.listen(64).unwrap();
        let router = Router::new()
            .route("/api/v1/internal/accounts/{id}", delete(answer))
            .with_state(self.state.clone());
        self.server = Some(tokio::spawn(
            async move { axum::serve(listener, router).await.unwrap() },
        ));
    }

    pub(crate) fn says(&self, says: Says) {
        *self.state.says.lock().unwrap() = says;
    }

    /// How often it was told of an account.
    pub(crate) fn told(&self, account: &str) -> u32 {
        self.state.told.lock().unwrap().get(account).copied().unwrap_or(0)
    }

    /// The token that it was shown last.
    pub(crate) fn bearer(&self) -> String {
        self.state.bearer.lock().unwrap().clone()
    }
}

impl Drop for FakeUsers {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            server.abort();
        }
    }
}

async fn answer(State(fake): State<Fake>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    *fake.told.lock().unwrap().entry(id).or_default() += 1;
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    *fake.bearer.lock().unwrap() = token.unwrap_or_default().trim_start_matches("Bearer ").to_owned();
    let says = *fake.says.lock().unwrap();
    match says {
        Says::Done => StatusCode::NO_CONTENT.into_response(),
        Says::Slowly => {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            StatusCode::NO_CONTENT.into_response()
        }
        Says::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Says::Unfinished => {
            let body = r#"{"type":"about:blank","title":"","status":503,"code":"deletion_unfinished"}"#;
            (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], body).into_response()
        }
        Says::Erasing => {
            let headers = [(header::RETRY_AFTER, "1"), (header::CONTENT_TYPE, "application/json")];
            (StatusCode::ACCEPTED, headers, r#"{"status":"erasing"}"#).into_response()
        }
        Says::Nothing => std::future::pending().await,
    }
}
