//! Pages in a browser (CORS): those of configured origins may use the API, on every route alike.
//!
//! Tokens travel in a header that a page sets itself, never in a cookie: no credentials are allowed, and an origin that is not
//! configured can do nothing that a program elsewhere could not.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tower::ServiceExt;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::config::Origin;
use crate::http::{Problem, codes};
use crate::telemetry::context::REQUEST_ID;

/// For so long a browser need not ask again.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_secs(600);

/// The origins whose pages may use the API.
#[derive(Clone)]
pub(super) struct Cors(Arc<[HeaderValue]>);

/// What the rules decide with.
#[derive(Clone)]
struct Rules {
    origins: Cors,
    /// For `OPTIONS` that no browser sent, which the layer would take for a browser's.
    plain: Router,
}

impl Cors {
    pub(super) fn new(origins: &[Origin]) -> Self {
        let values = origins.iter().map(|origin| HeaderValue::from_str(origin.as_str()));
        // An origin is ASCII without control characters.
        Self(values.filter_map(Result::ok).collect())
    }

    /// Puts the rules before these routes.
    pub(super) fn close(self, routes: Router) -> Router {
        let rules = Rules {
            origins: self.clone(),
            plain: routes.clone(),
        };
        let routes = if self.0.is_empty() {
            routes
        } else {
            routes.layer(self.layer())
        };
        routes.layer(middleware::from_fn_with_state(rules, judge))
    }

    fn layer(&self) -> CorsLayer {
        let (key, id) = (
            HeaderName::from_static("idempotency-key"),
            HeaderName::from_static(REQUEST_ID),
        );
        CorsLayer::new()
            .allow_origin(AllowOrigin::list(self.0.iter().cloned()))
            .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
            .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, key])
            .expose_headers([header::RETRY_AFTER, id])
            .max_age(PREFLIGHT_MAX_AGE)
    }

    fn allow(&self, origin: &HeaderValue) -> bool {
        self.0.iter().any(|allowed| allowed == origin)
    }
}

/// Answers what a browser asks on behalf of a page that may not.
async fn judge(State(rules): State<Rules>, request: Request, next: Next) -> Response {
    if *request.method() != Method::OPTIONS {
        return next.run(request).await;
    }
    match asking(request.headers()) {
        Some(origin) if !rules.origins.allow(origin) => Problem::new(&codes::ORIGIN_NOT_ALLOWED)
            .detail(
                "pages of this origin may not use the API; those that may are set as `origins` of [gateway] in nova.toml",
            )
            .into_response(),
        Some(_) => next.run(request).await,
        None => match rules.plain.oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        },
    }
}

/// The origin of the page that a browser asks for.
fn asking(headers: &HeaderMap) -> Option<&HeaderValue> {
    let origin = headers.get(header::ORIGIN)?;
    headers
        .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
        .then_some(origin)
}
