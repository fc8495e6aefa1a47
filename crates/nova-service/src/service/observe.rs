//! Gives every request its identity, and counts and logs its answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use metrics::histogram;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use tracing::{Instrument, Span, field};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::config::{Network, ServerConfig};
use crate::http::bearer;
use crate::telemetry::context::{CURRENT, REQUEST_ID, RequestContext, TRACEPARENT, Trace};
use crate::telemetry::names;
use crate::token::TokenVerifier;

/// A request that took longer is logged even though it went well.
const SLOW: Duration = Duration::from_secs(1);

/// Whose word about a request's id and trace is taken: what a stranger writes into the logs must not look like another's request.
#[derive(Clone)]
pub(super) struct Strangers {
    verifier: Option<TokenVerifier>,
    peers: Arc<[Network]>,
}

impl Strangers {
    pub(super) fn new(verifier: Option<TokenVerifier>, config: &ServerConfig) -> Self {
        Self {
            verifier,
            peers: config.trusted_peers.clone().into(),
        }
    }

    /// Whether the request says anything that could be taken over, and what speaks for it.
    fn introduction(&self, request: &Request) -> Introduction {
        let headers = request.headers();
        if !headers.contains_key(REQUEST_ID) && !headers.contains_key(TRACEPARENT) {
            return Introduction::None;
        }
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        if peer.is_some_and(|peer| self.peers.iter().any(|network| network.contains(peer.0.ip()))) {
            return Introduction::Peer;
        }
        match bearer(headers) {
            Ok(Some(token)) => Introduction::Token(token.to_owned()),
            _ => Introduction::None,
        }
    }

    /// Another service, by its token, or a peer in a configured network.
    async fn know(&self, introduction: Introduction) -> bool {
        match (introduction, &self.verifier) {
            (Introduction::Peer, _) => true,
            (Introduction::Token(token), Some(verifier)) => verifier.verify_service(&token).await.is_ok(),
            _ => false,
        }
    }
}

/// What speaks for the id and the trace that a request brings.
enum Introduction {
    None,
    Peer,
    Token(String),
}

pub(super) async fn observe(State(strangers): State<Strangers>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let introduction = strangers.introduction(&request);
    let context = if strangers.know(introduction).await {
        RequestContext::from_headers(request.headers())
    } else {
        RequestContext::new()
    };
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = known(request.method());
    let span = span(&context, method, route.as_ref());
    let request_id = HeaderValue::from_str(&context.request_id).ok();

    let mut response = CURRENT.scope(context, next.run(request).instrument(span.clone())).await;

    let status = response.status();
    let elapsed = started.elapsed();
    span.record("http.response.status_code", status.as_u16());
    span.in_scope(|| log(status, elapsed));
    let route = route.map_or_else(|| "unmatched".to_owned(), |route| route.as_str().to_owned());
    histogram!(names::HTTP_DURATION,
        "http_request_method" => method, "http_route" => route, "http_response_status_code" => status.as_str().to_owned())
    .record(elapsed.as_secs_f64());

    let headers = response.headers_mut();
    if let Some(id) = request_id {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Answers are about people; a route that may be cached says so itself.
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

fn span(context: &RequestContext, method: &'static str, route: Option<&MatchedPath>) -> Span {
    let route = route.map_or("unmatched", MatchedPath::as_str);
    let span = tracing::info_span!(
        "request",
        otel.name = field::Empty,
        otel.kind = "server",
        http.request.method = method,
        http.route = route,
        http.response.status_code = field::Empty,
        request_id = context.request_id,
        trace_id = field::Empty,
    );
    if !span.is_disabled() {
        span.record("otel.name", format!("{method} {route}"));
        span.record("trace_id", format!("{:032x}", trace_id(&span, context.trace)));
    }
    span
}

/// Joins the client's trace when traces are sent, and says which trace the span belongs to.
fn trace_id(span: &Span, trace: Trace) -> u128 {
    if trace.remote {
        let flags = if trace.sampled {
            TraceFlags::SAMPLED
        } else {
            TraceFlags::default()
        };
        let parent = SpanContext::new(
            TraceId::from(trace.trace_id),
            SpanId::from(trace.parent_id),
            flags,
            true,
            TraceState::default(),
        );
        // Without an exporter there is nothing to join.
        let _ = span.set_parent(opentelemetry::Context::new().with_remote_span_context(parent));
    }
    let own = span.context().span().span_context().trace_id();
    if own == TraceId::INVALID {
        trace.trace_id
    } else {
        u128::from_be_bytes(own.to_bytes())
    }
}

fn log(status: StatusCode, elapsed: Duration) {
    let (status_code, milliseconds) = (status.as_u16(), elapsed.as_millis());
    match status {
        // An outage is logged once, when a part goes down, and not once a request.
        StatusCode::SERVICE_UNAVAILABLE => tracing::debug!(status_code, milliseconds, "request refused"),
        _ if status.is_server_error() => tracing::warn!(status_code, milliseconds, "request failed"),
        _ if elapsed > SLOW => tracing::info!(status_code, milliseconds, "slow request"),
        _ => tracing::debug!(status_code, milliseconds, "request"),
    }
}

/// A label must not be whatever a client writes.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "_OTHER",
    }
}
