//! The operations port: startup, readiness, liveness, metrics.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use super::{Gauge, PartState};
use crate::http::{Problem, codes};

/// How far a service is, for the probes.
pub(super) struct Status {
    name: &'static str,
    version: &'static str,
    states: Vec<PartState>,
    gauges: Vec<Gauge>,
    started: AtomicBool,
    draining: AtomicBool,
    /// Parts whose initialisation is not over, and why.
    waiting: Mutex<BTreeMap<&'static str, String>>,
}

impl Status {
    pub(super) fn new(name: &'static str, version: &'static str, states: Vec<PartState>, gauges: Vec<Gauge>) -> Self {
        Self {
            name,
            version,
            states,
            gauges,
            started: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            waiting: Mutex::default(),
        }
    }

    pub(super) fn started(&self) -> bool {
        self.started.load(Ordering::Relaxed)
    }

    /// All required parts are initialised.
    pub(super) fn start(&self) {
        self.started.store(true, Ordering::Relaxed);
    }

    pub(super) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub(super) fn waits_for(&self, part: &'static str, reason: impl Into<String>) {
        self.waiting().insert(part, reason.into());
    }

    pub(super) fn has(&self, part: &'static str) {
        self.waiting().remove(part);
    }

    /// Whether someone watches a part of this name.
    pub(super) fn watches(&self, part: &str) -> bool {
        self.states.iter().any(|state| state.name() == part)
    }

    /// What is watched, and why it is down if it is.
    pub(super) fn watched(&self) -> impl Iterator<Item = (&'static str, Option<String>)> {
        self.states.iter().map(|state| (state.name(), state.reason()))
    }

    /// Why a part's initialisation is not over.
    pub(super) fn lacks(&self, part: &str) -> Option<String> {
        self.waiting().get(part).cloned()
    }

    /// The answer to a request that came too early.
    pub(super) fn not_started(&self) -> Problem {
        let parts: Vec<_> = self.waiting().keys().copied().collect();
        Problem::new(&codes::STARTING)
            .detail(format!("waiting for {}", parts.join(", ")))
            .retry_after(Duration::from_secs(1))
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeMap<&'static str, String>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What cannot be used now, with the reason.
    fn degraded(&self) -> BTreeMap<&'static str, String> {
        let mut down = self.waiting().clone();
        down.extend(
            self.states
                .iter()
                .filter_map(|state| Some((state.name(), state.reason()?))),
        );
        down
    }
}

pub(super) fn router(status: Arc<Status>) -> Router {
    Router::new()
        .route("/health/startup", get(startup))
        .route("/health/ready", get(ready))
        .route("/health/live", get(live))
        .route("/metrics", get(metrics))
        .fallback(|| async {
            Problem::not_found("this port has /health/startup, /health/ready, /health/live and /metrics")
        })
        .with_state(status)
}

async fn startup(State(status): State<Arc<Status>>) -> impl IntoResponse {
    if status.started() {
        (
            StatusCode::OK,
            Json(json!({ "status": "started", "service": status.name, "version": status.version })),
        )
    } else {
        let waiting = status.waiting().clone();
        (
            StatusCode::SERVICE_UNAVAILABLE,
            Json(json!({ "status": "starting", "waiting_for": waiting })),
        )
    }
}

/// A dependency that is down degrades the routes that need it; the others go on, so the service stays ready.
async fn ready(State(status): State<Arc<Status>>) -> impl IntoResponse {
    let reasons = status.degraded();
    let degraded: Vec<_> = reasons.keys().copied().collect();
    let (code, word) = if status.draining.load(Ordering::Relaxed) {
        (StatusCode::SERVICE_UNAVAILABLE, "draining")
    } else if !status.started() {
        (StatusCode::SERVICE_UNAVAILABLE, "starting")
    } else if degraded.is_empty() {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::OK, "degraded")
    };
    (
        code,
        Json(json!({ "status": word, "degraded": degraded, "reasons": reasons })),
    )
}

/// That this is answered shows that the process makes progress.
async fn live() -> impl IntoResponse {
    Json(json!({ "status": "live" }))
}

async fn metrics(State(status): State<Arc<Status>>) -> impl IntoResponse {
    for gauge in &status.gauges {
        gauge();
    }
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
        crate::telemetry::render(),
    )
}
