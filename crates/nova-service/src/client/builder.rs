//! A call that is put together, then sent within the time of the request that it is made for.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use nova_resilience::{Call, Deadline};
use serde::Serialize;
use tower::Service;

use super::{Answer, CallError, Client, Outgoing};
use crate::telemetry::context;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// What a call leaves of its request's time, at most: without an answer there still has to be one to the request.
const RESERVE: Duration = Duration::from_millis(50);

/// A call that is being put together.
#[derive(Debug)]
#[must_use = "nothing is called before `send`"]
pub struct CallBuilder<'a> {
    client: &'a Client,
    method: Method,
    uri: String,
    headers: HeaderMap,
    body: Bytes,
    timeout: Option<Duration>,
    /// Why it cannot be sent.
    wrong: Option<String>,
}

impl<'a> CallBuilder<'a> {
    pub(super) fn new(client: &'a Client, method: Method, uri: String) -> Self {
        Self {
            client,
            method,
            uri,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            timeout: None,
            wrong: None,
        }
    }

    /// Sends this token as `Authorization: Bearer`.
    pub fn bearer(self, token: &str) -> Self {
        self.secret_header(header::AUTHORIZATION, format!("Bearer {token}"))
    }

    /// Sends user and password (RFC 7617).
    pub fn basic(self, user: &str, password: &str) -> Self {
        use base64::Engine;
        let pair = base64::prelude::BASE64_STANDARD.encode(format!("{user}:{password}"));
        self.secret_header(header::AUTHORIZATION, format!("Basic {pair}"))
    }

    /// Makes the call repeatable: the other side does it once for each key. A key that no header can carry makes the call
    /// one that is not sent: without it the call might be done twice.
    pub fn idempotency_key(mut self, key: &str) -> Self {
        match HeaderValue::from_str(key) {
            Ok(value) => self.header(IDEMPOTENCY_KEY, value),
            Err(_) => {
                self.wrong = Some("the idempotency key has characters that a header must not have".to_owned());
                self
            }
        }
    }

    /// Sends one more header.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Sends this as JSON.
    pub fn json<T: Serialize>(mut self, body: &T) -> Self {
        match serde_json::to_vec(body) {
            Ok(body) => self.body = body.into(),
            Err(error) => self.wrong = Some(format!("its body cannot be written as JSON: {error}")),
        }
        self.header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
    }

    /// Sends these fields as a form.
    pub fn form(mut self, fields: &[(&str, &str)]) -> Self {
        let pairs = fields
            .iter()
            .map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
        self.body = pairs.collect::<Vec<_>>().join("&").into();
        self.header(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        )
    }

    /// Gives this call less time than it would have.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sends it and reads the whole answer. Every status is an answer; [`Answer::success`] makes errors of the others.
    ///
    /// # Errors
    /// When there is no answer: the time was up, nobody listens, or the call was refused because such calls fail.
    pub async fn send(mut self) -> Result<Answer, CallError> {
        let dependency = self.client.dependency();
        let invalid = |error| CallError::Invalid { dependency, error };
        if let Some(wrong) = self.wrong {
            return Err(invalid(wrong));
        }
        let uri = self.uri.parse::<Uri>().map_err(|error| invalid(error.to_string()))?;
        context::inject(&mut self.headers);
        let repeatable = self.method.is_idempotent() || self.headers.contains_key(IDEMPOTENCY_KEY);
        let own = self.timeout.map(Deadline::after);
        let deadline = match (own, requests_deadline()) {
            (Some(own), Some(requests)) => Some(own.earliest(requests)),
            (own, requests) => own.or(requests),
        };
        let outgoing = Outgoing {
            method: self.method,
            uri,
            headers: self.headers,
            body: self.body,
        };
        let method = outgoing.method.clone();
        let mut call = Call::new(Arc::new(outgoing)).repeatable(repeatable);
        call.deadline = deadline;
        let observed = &self.client.observed;
        let mut stack = self.client.stack.clone();
        observed
            .call(&method, stack.call(call))
            .await
            .map(|answer| answer.from(dependency))
            .map_err(|failure| CallError::of(dependency, failure))
    }

    fn secret_header(self, name: HeaderName, value: String) -> Self {
        match HeaderValue::try_from(value) {
            Ok(mut value) => {
                value.set_sensitive(true);
                self.header(name, value)
            }
            // Nothing that can be a token; the other side will say that there is none.
            Err(_) => self,
        }
    }
}

/// When a call for the present request has to be over: a little sooner than the request, which has to be answered
/// without it otherwise. A tenth of what is left at most, since a hurried caller has nothing to spare.
fn requests_deadline() -> Option<Deadline> {
    let left = context::deadline()?.remaining();
    Some(Deadline::after(left - (left / 10).min(RESERVE)))
}

/// Text as a form has it (`application/x-www-form-urlencoded`).
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => escaped.push('+'),
            b'*' | b'-' | b'.' | b'_' => escaped.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => escaped.push(char::from(byte)),
            _ => {
                // Writing to a string cannot fail.
                let _ = write!(escaped, "%{byte:02X}");
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_escaped() {
        assert_eq!(escaped("client_credentials"), "client_credentials");
        assert_eq!(escaped("a b&c=d+e%ä"), "a+b%26c%3Dd%2Be%25%C3%A4");
    }
}
