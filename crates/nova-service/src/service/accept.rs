//! `Accept`: whoever wants what a route does not answer is told so before anything is done.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::http::{Problem, codes};

/// The media types of each route's successes, as the description has them. A route without any is not in here.
#[derive(Clone)]
pub(super) struct MediaTypes(Arc<HashMap<(String, String), Vec<String>>>);

impl MediaTypes {
    /// Those of an OpenAPI document.
    pub(super) fn of(document: &Value) -> Self {
        let paths = document["paths"].as_object().into_iter().flatten();
        let operations = paths.flat_map(|(path, item)| {
            let methods = item.as_object().into_iter().flatten();
            methods.map(move |(method, operation)| (path.clone(), method.clone(), operation))
        });
        let known = operations.filter_map(|(path, method, operation)| {
            let successes = operation["responses"].as_object()?.iter();
            let successes = successes.filter(|(status, _)| status.starts_with('2'));
            let types: Vec<String> = successes
                .flat_map(|(_, response)| response["content"].as_object().into_iter().flatten())
                .map(|(kind, _)| kind.clone())
                .collect();
            (!types.is_empty()).then_some(((path, method), types))
        });
        Self(Arc::new(known.collect()))
    }

    /// What the route of a request answers, if that is described.
    fn of_request(&self, request: &Request) -> Option<&[String]> {
        let path = request.extensions().get::<MatchedPath>()?.as_str().to_owned();
        let method = match request.method().as_str() {
            "HEAD" => "get".to_owned(),
            method => method.to_ascii_lowercase(),
        };
        self.0.get(&(path, method)).map(Vec::as_slice)
    }
}

pub(super) async fn judge(State(types): State<MediaTypes>, request: Request, next: Next) -> Response {
    if let Some(answered) = types.of_request(&request)
        && !answered.iter().any(|kind| accepts(request.headers(), kind))
    {
        return Problem::new(&codes::NOT_ACCEPTABLE)
            .detail(format!("this route answers {}", answered.join(", ")))
            .into_response();
    }
    next.run(request).await
}

/// Whether a client takes this media type (RFC 9110, section 12.5.1). One that says nothing takes everything, and so does one whose
/// header cannot be read.
fn accepts(headers: &HeaderMap, kind: &str) -> bool {
    let mut values = headers.get_all(header::ACCEPT).iter().peekable();
    if values.peek().is_none() {
        return true;
    }
    let family = kind.split('/').next().unwrap_or_default();
    let mut best = None;
    let mut ranges = 0;
    for range in values.flat_map(|value| value.to_str().unwrap_or("*/*").split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        if name.is_empty() {
            continue;
        }
        ranges += 1;
        let precision = match name.as_str() {
            "*/*" => 1,
            name if name.strip_suffix("/*") == Some(family) => 2,
            name if name == kind => 3,
            _ => continue,
        };
        let refused = parts
            .filter_map(|part| part.strip_prefix("q="))
            .any(|quality| quality.parse::<f32>().is_ok_and(|quality| quality <= 0.0));
        // The most precise range decides.
        if best.is_none_or(|(before, _)| precision > before) {
            best = Some((precision, !refused));
        }
    }
    ranges == 0 || best.is_some_and(|(_, taken)| taken)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn the_most_precise_range_decides() {
        let json = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().unwrap());
            accepts(&headers, "application/json")
        };
        for taken in [
            "",
            "*/*",
            "application/*",
            "application/json",
            "Application/JSON;charset=utf-8",
            "text/html, application/xhtml+xml, */*;q=0.8",
            "text/html;q=0.9, application/json;q=0.1",
            "*/*;q=0, application/json",
        ] {
            assert!(json(taken), "{taken}");
        }
        for refused in [
            "text/html",
            "image/*",
            "application/xml, text/plain;q=0.5",
            "application/json;q=0",
            "application/json;q=0.0, */*",
            "*/*;q=0",
        ] {
            assert!(!json(refused), "{refused}");
        }
        assert!(accepts(&HeaderMap::new(), "application/json"));
    }
}
