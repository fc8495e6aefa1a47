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
use tokio::time::Instant;
use tower::Service;

use super::Outgoing;
use super::answer::Answer;
use super::failed::{LARGEST, TransportError};
use crate::config::CallsConfig;

/// Unused connections are given up at most this often.
const RENEWED_EVERY: Duration = Duration::from_secs(1);

type Http = legacy::Client<HttpConnector, Full<Bytes>>;

/// Connections to one host. An attempt that got no answer makes it leave all unused connections too: they lead to the same
/// process, which may be dead or demoted, while a new connection goes where the name or the load balancer leads now. An
/// attempt that its caller gave up, or that had hardly any time, says nothing about them.
#[derive(Clone, Debug)]
pub(super) struct Transport(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    connect_timeout: Duration,
    idle_timeout: Duration,
    idle_connections: usize,
    /// Whoever had less time than this proves nothing by having no answer.
    patience: Duration,
    connections: RwLock<Connections>,
}

#[derive(Debug)]
struct Connections {
    http: Http,
    left: Option<Instant>,
}

impl Transport {
    pub(super) fn new(config: &CallsConfig) -> Self {
        let idle_connections = usize::try_from(config.pool_size).unwrap_or(usize::MAX);
        let (connect_timeout, idle_timeout) = (config.connect_timeout, config.idle_timeout);
        Self(Arc::new(Shared {
            connect_timeout,
            idle_timeout,
            idle_connections,
            patience: config.settings().patience(),
            connections: RwLock::new(Connections {
                http: http(connect_timeout, idle_timeout, idle_connections),
                left: None,
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
        if connections.left.is_none_or(|left| left.elapsed() >= RENEWED_EVERY) {
            connections.http = http(self.connect_timeout, self.idle_timeout, self.idle_connections);
            connections.left = Some(Instant::now());
        }
    }

    async fn attempt(&self, outgoing: &Outgoing, deadline: Option<Deadline>) -> Result<Answer, TransportError> {
        let mut request = Request::new(Full::new(outgoing.body.clone()));
        *request.method_mut() = outgoing.method.clone();
        *request.uri_mut() = outgoing.uri.clone();
        *request.headers_mut() = outgoing.headers.clone();
        let left = deadline.map(Deadline::remaining);
        if let Some(left) = left {
            let name = HeaderName::from_static(TIMEOUT_HEADER);
            request.headers_mut().insert(name, timeout_header(left));
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
        let answer = Answer::new(head.status, head.headers, body.to_bytes());
        Ok(answer.with_little_time(left.is_some_and(|left| left < self.patience)))
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
                since: Instant::now(),
                deadline: call.deadline,
                ended: false,
            };
            let result = shared.attempt(&call.request, call.deadline).await;
            waiting.ended = true;
            if matches!(result, Err(TransportError::Lost(_) | TransportError::Connect(_))) {
                shared.leave();
            }
            result
        })
    }
}

/// Notices an attempt whose future is dropped at its deadline.
struct Waiting<'a> {
    shared: &'a Shared,
    since: Instant,
    deadline: Option<Deadline>,
    ended: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let too_late = self.deadline.is_some_and(Deadline::expired);
        if !self.ended && too_late && self.since.elapsed() >= self.shared.patience {
            self.shared.leave();
        }
    }
}
