//! Calls to another service that cannot hang: within the deadline of the request that they are made for, retried within
//! a budget, refused at once while the other side is known to fail.
//!
//! One [`Client`] belongs to one service. The layers around a call are `nova-resilience`'s; here is what HTTP adds to
//! them: which methods may be repeated, what a status means, and the headers by which deadline, trace and "do not retry"
//! cross from one service to the next.

mod answer;
mod classify;
mod observe;
mod transport;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use nova_resilience::{Call, Deadline, Resilience, Stack};
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use tower::{Layer, Service};

pub use answer::{Answer, CallError};

use crate::config::CallsConfig;
use crate::service::PartState;
use crate::telemetry::context;
use classify::HttpClassify;
use observe::Observed;
use transport::Transport;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Calls to one service. Cloning is cheap; all clones share connections, breaker and budget.
#[derive(Clone, Debug)]
pub struct Client {
    base: Arc<str>,
    stack: Stack<Transport, HttpClassify>,
    observed: Observed,
}

/// A request as each attempt sends it.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Client {
    /// Calls to `dependency`, which answers at `base_url`, such as `http://127.0.0.1:8084`. Nothing is connected yet.
    ///
    /// # Errors
    /// When the settings for it make no sense together.
    pub fn new(dependency: &'static str, base_url: &str, config: &CallsConfig) -> anyhow::Result<Self> {
        let config = config.of(dependency)?;
        let resilience = Resilience::new(&config.settings(), HttpClassify)
            .with_context(|| format!("settings of calls to {dependency}"))?;
        Ok(Self {
            base: base_url.trim_end_matches('/').into(),
            stack: resilience.layer(Transport::new(&config)),
            observed: Observed::new(dependency, config, resilience.stats()),
        })
    }

    /// The service that is called.
    pub fn dependency(&self) -> &'static str {
        self.observed.dependency()
    }

    /// A read.
    pub fn get(&self, path: &str) -> CallBuilder<'_> {
        self.request(Method::GET, path)
    }

    /// A replacement: idempotent.
    pub fn put(&self, path: &str) -> CallBuilder<'_> {
        self.request(Method::PUT, path)
    }

    /// A removal: idempotent.
    pub fn delete(&self, path: &str) -> CallBuilder<'_> {
        self.request(Method::DELETE, path)
    }

    /// Anything else: sent twice only with an idempotency key, or when the first attempt certainly never left.
    pub fn post(&self, path: &str) -> CallBuilder<'_> {
        self.request(Method::POST, path)
    }

    fn request(&self, method: Method, path: &str) -> CallBuilder<'_> {
        CallBuilder {
            client: self,
            method,
            uri: format!("{}{path}", self.base),
            headers: HeaderMap::new(),
            body: Ok(Bytes::new()),
            timeout: None,
        }
    }

    /// Whether calls pass, for readiness.
    pub(crate) fn state(&self) -> &PartState {
        self.observed.state()
    }

    /// Publishes the settings in force and what happened to the calls so far.
    pub(crate) fn measure(&self) {
        self.observed.publish();
    }

    /// Keeps the state, until `stop`.
    pub(crate) async fn watch(self, stop: CancellationToken) {
        stop.run_until_cancelled(self.observed.keep_state()).await;
    }
}

/// A call that is being put together.
#[derive(Debug)]
#[must_use = "nothing is called before `send`"]
pub struct CallBuilder<'a> {
    client: &'a Client,
    method: Method,
    uri: String,
    headers: HeaderMap,
    body: Result<Bytes, serde_json::Error>,
    timeout: Option<Duration>,
}

impl CallBuilder<'_> {
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

    /// Makes the call repeatable: the other side does it once for each key.
    pub fn idempotency_key(self, key: &str) -> Self {
        match HeaderValue::from_str(key) {
            Ok(value) => self.header(IDEMPOTENCY_KEY, value),
            Err(_) => self,
        }
    }

    /// Sends one more header.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Sends this as JSON.
    pub fn json<T: Serialize>(mut self, body: &T) -> Self {
        self.body = serde_json::to_vec(body).map(Bytes::from);
        self.header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
    }

    /// Sends these fields as a form; names and values must need no escaping.
    pub fn form(mut self, fields: &[(&str, &str)]) -> Self {
        let pairs: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.body = Ok(Bytes::from(pairs.join("&")));
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
        let wrong = |error: String| CallError::Invalid { dependency, error };
        let uri = self.uri.parse::<Uri>().map_err(|error| wrong(error.to_string()))?;
        let body = self.body.map_err(|error| wrong(error.to_string()))?;
        context::inject(&mut self.headers);
        let repeatable = self.method.is_idempotent() || self.headers.contains_key(IDEMPOTENCY_KEY);
        let own = self.timeout.map(Deadline::after);
        let deadline = match (own, context::deadline()) {
            (Some(own), Some(callers)) => Some(own.earliest(callers)),
            (own, callers) => own.or(callers),
        };
        let outgoing = Outgoing {
            method: self.method,
            uri,
            headers: self.headers,
            body,
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
