//! The one form of an error answer: `application/problem+json` (RFC 9457) with a stable code.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use nova_resilience::header::DO_NOT_RETRY_HEADER;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::code::{Code, codes};
use crate::service::Unavailable;
use crate::telemetry::context;

/// An error as a client sees it. Handlers return it; it never carries text of a database.
#[derive(Debug)]
pub struct Problem {
    code: &'static Code,
    detail: Option<String>,
    errors: Vec<FieldError>,
    retry_after: Option<Duration>,
    do_not_retry: bool,
}

/// What is wrong with one field of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// Path of the field, such as `email`.
    pub field: String,
    /// What is wrong with it.
    pub detail: String,
}

/// The body of a problem, for OpenAPI and for clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// Always `about:blank`: `code` identifies the problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// Short summary for people.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// Stable code for programs, listed in docs/errors.md.
    pub code: String,
    /// What happened in this case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The fields at fault.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// The request's id, also in the logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl Problem {
    /// A problem of this kind, without detail.
    pub fn new(code: &'static Code) -> Self {
        Self {
            code,
            detail: None,
            errors: Vec::new(),
            retry_after: None,
            do_not_retry: false,
        }
    }

    /// Says what happened in this case.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds a field at fault.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>, detail: impl Into<String>) -> Self {
        self.errors.push(FieldError {
            field: field.into(),
            detail: detail.into(),
        });
        self
    }

    /// Says when to try again; whole seconds, rounded up, and up to half as much again at random, so that clients who were refused
    /// together do not come back together.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// Tells the service that called this one not to repeat its call: what repeating can do was done here.
    #[must_use]
    pub fn do_not_retry(mut self) -> Self {
        self.do_not_retry = true;
        self
    }

    /// 400 `bad_request`.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(&codes::BAD_REQUEST).detail(detail)
    }

    /// 401 `unauthorized`.
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(&codes::UNAUTHORIZED).detail(detail)
    }

    /// 403 `forbidden`.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(&codes::FORBIDDEN).detail(detail)
    }

    /// 404 `not_found`.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(&codes::NOT_FOUND).detail(detail)
    }

    /// 409 `conflict`.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(&codes::CONFLICT).detail(detail)
    }

    /// 422 `validation_failed` with the fields at fault.
    pub fn unprocessable(errors: Vec<FieldError>) -> Self {
        Self {
            errors,
            ..Self::new(&codes::VALIDATION_FAILED)
        }
    }

    /// 429 `too_many_requests`.
    pub fn too_many_requests(after: Duration) -> Self {
        Self::new(&codes::TOO_MANY_REQUESTS).retry_after(after)
    }

    /// 503 `dependency_unavailable`, naming what is down.
    pub fn dependency_unavailable(name: &str) -> Self {
        Self::new(&codes::DEPENDENCY_UNAVAILABLE)
            .detail(format!("{name} is unavailable"))
            .retry_after(Duration::from_secs(1))
    }

    /// 500 `internal`; the cause goes to the log, once, and never to the client.
    pub fn internal(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let error = error.into();
        tracing::error!(error = %Chain(error.as_ref()), "request failed");
        Self::new(&codes::INTERNAL)
    }

    /// What kind of problem this is.
    pub fn code(&self) -> &'static Code {
        self.code
    }

    /// Its HTTP status.
    pub fn status(&self) -> StatusCode {
        self.code.status
    }

    fn body(self) -> ProblemBody {
        ProblemBody {
            kind: "about:blank".to_owned(),
            title: self.code.title.to_owned(),
            status: self.code.status.as_u16(),
            code: self.code.code.to_owned(),
            detail: self.detail,
            errors: self.errors,
            request_id: context::request_id(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code.code)?;
        if let Some(detail) = &self.detail {
            write!(f, ": {detail}")?;
        }
        Ok(())
    }
}

impl Error for Problem {}

impl From<Unavailable> for Problem {
    fn from(unavailable: Unavailable) -> Self {
        Self::dependency_unavailable(unavailable.part())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (code, retry_after, do_not_retry) = (self.code, self.retry_after, self.do_not_retry);
        // A struct of strings and numbers always serialises.
        let body = serde_json::to_vec(&self.body()).unwrap_or_default();
        let mut response = (code.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if code.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if do_not_retry {
            headers.insert(
                HeaderName::from_static(DO_NOT_RETRY_HEADER),
                HeaderValue::from_static("1"),
            );
        }
        if let Some(after) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(scattered(after)));
        }
        response
    }
}

/// Whole seconds, at least the time given and at least one, and up to half as many more.
fn scattered(after: Duration) -> u64 {
    let seconds = (after.as_secs() + u64::from(after.subsec_nanos() > 0)).max(1);
    seconds + rand::random_range(0..=seconds.div_ceil(2))
}

/// An error with its causes on one line.
pub(crate) struct Chain<'a>(pub(crate) &'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn clients_that_are_refused_together_are_not_sent_back_together() {
        let of = |after| (0..200).map(|_| scattered(after)).collect::<BTreeSet<u64>>();
        assert_eq!(of(Duration::ZERO), [1, 2].into());
        assert_eq!(of(Duration::from_millis(1001)), [2, 3].into());
        let minute = of(Duration::from_secs(60));
        assert!(
            minute.len() > 20 && minute.iter().all(|seconds| (60..=90).contains(seconds)),
            "{minute:?}"
        );
    }
}
