//! `Json`, `Query` and `Path` whose rejections are problems.

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::code::codes;
use super::problem::Problem;

/// A JSON body, in requests and answers.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(&codes::UNSUPPORTED_MEDIA_TYPE));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(body_problem)?;
        serde_json::from_slice(&bytes)
            .map(Self)
            .map_err(|error| json_problem(&bytes, &error))
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// A typed query string.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Query::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(QueryRejection::FailedToDeserializeQueryString(error)) => {
                Err(Problem::new(&codes::INVALID_PARAMETER).detail(printable(&error.body_text())))
            }
            Err(error) => Err(Problem::internal(error)),
        }
    }
}

/// Typed parts of the path. An id that cannot be one names nothing: 404, not 400.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(PathRejection::FailedToDeserializePathParams(error)) if error.status() == StatusCode::BAD_REQUEST => {
                Err(Problem::not_found("the address contains something that is not an id"))
            }
            Err(error) => Err(Problem::internal(error)),
        }
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn body_problem(rejection: BytesRejection) -> Problem {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(&codes::BODY_TOO_LARGE),
        _ => Problem::bad_request("the body could not be read to its end"),
    }
}

fn json_problem(bytes: &[u8], error: &serde_json::Error) -> Problem {
    if std::str::from_utf8(bytes).is_err() {
        return Problem::new(&codes::INVALID_JSON).detail("the body is not UTF-8");
    }
    let text = printable(&error.to_string());
    match error.classify() {
        // The syntax is right and the content is not: an unknown field, a missing one, a wrong type.
        serde_json::error::Category::Data => Problem::new(&codes::VALIDATION_FAILED).detail(text),
        _ => Problem::new(&codes::INVALID_JSON).detail(text),
    }
}

/// Error texts of parsers quote the client's input: keep them short and printable.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}
