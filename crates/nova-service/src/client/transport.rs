//! HTTP/1.1 under the layers: sends one attempt and reads its whole answer.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderName, Request};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use nova_resilience::header::{TIMEOUT_HEADER, format as timeout_header};
use nova_resilience::{Call, Deadline};
use thiserror::Error;
use tokio::time::Instant;
use tower::Service;

use super::Outgoing;
use super::answer::Answer;
use crate::config::CallsConfig;

/// Answers between services are small; one that is larger is a mistake.
const LARGEST: usize = 1 << 20;
/// Unused connections are given up at most this often.
const RENEWED_EVERY: Duration = Duration::from_secs(1);

type Http = legacy::Client<HttpConnector, Full<Bytes>>;

/// Why an attempt has no answer.
#[derive(Debug, Error)]
pub enum TransportError {
    /// No connection could be made: the other side has certainly not seen the request.
    #[error("no connection could be made")]
    Connect(#[source] legacy::Error),
    /// The connection broke: the other side may have acted on the request.
    #[error("the connection broke before the whole answer was there")]
    Lost(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The answer does not end.
    #[error("the answer is larger than {LARGEST} bytes")]
    TooLarge,
}

/// Connections to one host. An attempt that got no answer makes it leave all unused connections too: they lead to the same
/// process, which may be dead or demoted, while a new connection goes where the name or the load balancer leads now.
#[derive(Clone, Debug)]
pub(super) struct Transport(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    connect_timeout: Duration,
    idle_timeout: Duration,
    idle_connections: usize,
    connections: RwLock<Connections>,
}

#[derive(Debug)]
struct Connections {
    http: Http,
    since: Instant,
}

impl Transport {
    pub(super) fn new(config: &CallsConfig) -> Self {
        let idle_connections = usize::try_from(config.pool_size).unwrap_or(usize::MAX);
        let (connect_timeout, idle_timeout) = (config.connect_timeout, config.idle_timeout);
        Self(Arc::new(Shared {
            connect_timeout,
            idle_timeout,
            idle_connections,
            connections: RwLock::new(Connections {
                http: http(connect_timeout, idle_timeout, idle_connections),
                since: Instant::now(),
            }),
        }))
    }
}

fn http(connect_timeout: Duration, idle_timeout: Duration, idle_connections: usize) -> Http {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(connect_timeout));
    connector.set_nodelay(true);
    legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(idle_timeout)
        .pool_max_idle_per_host(idle_connections)
        .build(connector)
}

impl Shared {
    fn http(&self) -> Http {
        self.connections
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .http
            .clone()
    }

    /// Leaves the unused connections; those in use end with their requests.
    fn leave(&self) {
        let mut connections = self.connections.write().unwrap_or_else(PoisonError::into_inner);
        if connections.since.elapsed() >= RENEWED_EVERY {
            connections.http = http(self.connect_timeout, self.idle_timeout, self.idle_connections);
            connections.since = Instant::now();
        }
    }

    async fn attempt(&self, outgoing: &Outgoing, deadline: Option<Deadline>) -> Result<Answer, TransportError> {
        let mut request = Request::new(Full::new(outgoing.body.clone()));
        *request.method_mut() = outgoing.method.clone();
        *request.uri_mut() = outgoing.uri.clone();
        *request.headers_mut() = outgoing.headers.clone();
        if let Some(deadline) = deadline {
            let name = HeaderName::from_static(TIMEOUT_HEADER);
            request.headers_mut().insert(name, timeout_header(deadline.remaining()));
        }
        let response = self.http().request(request).await.map_err(|error| {
            if error.is_connect() {
                TransportError::Connect(error)
            } else {
                TransportError::Lost(error.into())
            }
        })?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, LARGEST).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                TransportError::TooLarge
            } else {
                TransportError::Lost(error)
            }
        })?;
        Ok(Answer::new(head.status, head.headers, body.to_bytes()))
    }
}

impl Service<Call<Arc<Outgoing>>> for Transport {
    type Response = Answer;
    type Error = TransportError;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, TransportError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call<Arc<Outgoing>>) -> Self::Future {
        let shared = self.0.clone();
        Box::pin(async move {
            let mut waiting = Waiting {
                shared: &shared,
                answered: false,
            };
            let result = shared.attempt(&call.request, call.deadline).await;
            waiting.answered = !matches!(result, Err(TransportError::Lost(_) | TransportError::Connect(_)));
            result
        })
    }
}

/// Notices an attempt that ends without an answer, also when its future is dropped at a deadline.
struct Waiting<'a> {
    shared: &'a Shared,
    answered: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.shared.leave();
        }
    }
}
