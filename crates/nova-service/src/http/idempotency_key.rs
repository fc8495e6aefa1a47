//! The `Idempotency-Key` header.

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;

use super::code::codes;
use super::problem::Problem;

const HEADER: &str = "idempotency-key";

/// A client's name for one intended write, so that repeating the request does not repeat the write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The key as the client sent it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parse(parts: &Parts) -> Result<Option<Self>, Problem> {
        let mut values = parts.headers.get_all(HEADER).iter();
        let Some(value) = values.next() else { return Ok(None) };
        let bytes = value.as_bytes();
        let plausible = (1..=128).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
        if !plausible || values.next().is_some() {
            return Err(Problem::new(&codes::INVALID_IDEMPOTENCY_KEY));
        }
        Ok(Some(Self(String::from_utf8_lossy(bytes).into_owned())))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::parse(parts)?.ok_or_else(|| {
            Problem::new(&codes::INVALID_IDEMPOTENCY_KEY).detail("this route requires the header `Idempotency-Key`")
        })
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Problem> {
        Self::parse(parts)
    }
}
