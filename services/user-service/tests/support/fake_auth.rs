//! auth-service's answer about an account, as a test wants it. The real one cannot be made to answer nonsense.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};
use uuid::Uuid;

/// What it says from now on.
#[derive(Clone, Debug, Default)]
pub(crate) enum Says {
    /// The account that was asked for.
    #[default]
    Account,
    /// The same with one session of this id.
    Session(Uuid),
    /// This status and body.
    Body(u16, String),
    /// Nothing, and never ends.
    Nothing,
}

/// Its script, and what it was asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct FakeAuth {
    says: Arc<Mutex<Says>>,
    asked: Arc<AtomicU32>,
    bearer: Arc<Mutex<String>>,
}

impl FakeAuth {
    pub(crate) fn routes(&self) -> Router {
        Router::new()
            .route("/api/v1/internal/accounts/{id}", get(answer))
            .with_state(self.clone())
    }

    pub(crate) fn says(&self, says: Says) {
        *self.says.lock().unwrap() = says;
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> u32 {
        self.asked.load(Ordering::Relaxed)
    }

    /// The token that it was shown last.
    pub(crate) fn bearer(&self) -> String {
        self.bearer.lock().unwrap().clone()
    }
}

/// What it says about an account.
pub(crate) fn account(id: Uuid, sessions: &[Uuid]) -> Value {
    let time = "2026-11-22T10:00:00Z";
    let session = |id: &Uuid| {
        json!({ "id": id, "created_at": time, "last_used_at": time, "expires_at": time, "address": "192.0.2.7",
                "user_agent": null })
    };
    json!({ "id": id, "email": "ada@example.com", "created_at": time, "new_in_a_later_version": 1,
            "sessions": sessions.iter().map(session).collect::<Vec<_>>() })
}

async fn answer(State(fake): State<FakeAuth>, Path(id): Path<Uuid>, headers: HeaderMap) -> Response {
    fake.asked.fetch_add(1, Ordering::Relaxed);
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    *fake.bearer.lock().unwrap() = token.unwrap_or_default().trim_start_matches("Bearer ").to_owned();
    let says = fake.says.lock().unwrap().clone();
    match says {
        Says::Account => axum::Json(account(id, &[])).into_response(),
        Says::Session(session) => axum::Json(account(id, &[session, Uuid::now_v7()])).into_response(),
        Says::Body(status, body) => (StatusCode::from_u16(status).unwrap(), body).into_response(),
        Says::Nothing => std::future::pending().await,
    }
}
