//! What every request passes: refusal while starting, draining or overloaded, limits on body and time, panics.
//!
//! A request gets its place among those in flight when all of it is there: a client that sends its body slowly, or never, holds a
//! place among the arriving ones only, of which it has a few and nobody else's.
//!
//! A write runs in a task of its own. A client that goes away, or the request's timeout, ends the waiting for it and
//! never the write: a transaction is not cut off while it commits.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use metrics::{counter, gauge};
use nova_resilience::Deadline;
use nova_resilience::header::{TIMEOUT_HEADER, budget};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{timeout, timeout_at};
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::arrival::Arrivals;
use super::cors::Cors;
use super::observe::{Strangers, observe};
use super::probes::Status;
use crate::config::ServerConfig;
use crate::http::{Problem, TrustedProxies, codes};
use crate::postgres;
use crate::telemetry::context;
use crate::telemetry::names;

/// The rules of one service and what is in flight.
pub(super) struct Gate {
    status: Arc<Status>,
    leaving: AtomicBool,
    refusing: AtomicBool,
    places: Arc<Semaphore>,
    capacity: usize,
    writes: TaskTracker,
    arrivals: Arrivals,
    proxies: TrustedProxies,
    max_body: usize,
    request_timeout: Duration,
    write_timeout: Duration,
}

impl Gate {
    pub(super) fn new(config: &ServerConfig, status: Arc<Status>) -> Self {
        let capacity = usize::try_from(config.max_in_flight).unwrap_or(Semaphore::MAX_PERMITS);
        let max_body = usize::try_from(config.max_body_bytes).unwrap_or(usize::MAX);
        Self {
            status,
            leaving: AtomicBool::new(false),
            refusing: AtomicBool::new(false),
            places: Arc::new(Semaphore::new(capacity)),
            capacity,
            writes: TaskTracker::new(),
            arrivals: Arrivals::new(max_body, config.max_unfinished_per_client),
            proxies: TrustedProxies::new(config),
            max_body,
            request_timeout: config.request_timeout,
            // The drain waits for writes as long.
            write_timeout: config.drain_timeout.max(config.request_timeout),
        }
    }

    /// From now on every answer says that its connection ends, so that clients go elsewhere by themselves. A connection that is
    /// closed without a word may be closed just when the next request is on its way.
    pub(super) fn leave(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    /// From now on every request is refused.
    pub(super) fn refuse(&self) {
        self.refusing.store(true, Ordering::Relaxed);
    }

    pub(super) fn in_flight(&self) -> usize {
        self.capacity.saturating_sub(self.places.available_permits())
    }

    /// Waits for writes whose clients did not.
    pub(super) async fn finish_writes(&self) {
        self.writes.close();
        self.writes.wait().await;
    }

    /// The statement that a request waited for may wait on a dead connection. A caller who gave little time says nothing
    /// about that, and must not make every other request test its connection first.
    fn suspect_after(&self, time: Duration) {
        if time >= self.request_timeout / 2 {
            postgres::suspect();
        }
    }

    /// How long a request may take: never longer than the service's own limit, nor than any that its caller states.
    fn time_of(&self, headers: &HeaderMap) -> Duration {
        let stated = headers.get_all(TIMEOUT_HEADER).iter();
        let stated = stated.map(|stated| budget(self.request_timeout, Some(stated)));
        stated.min().unwrap_or(self.request_timeout)
    }

    fn refusal(&self) -> Option<Problem> {
        if self.refusing.load(Ordering::Relaxed) {
            return Some(Problem::new(&codes::DRAINING).retry_after(Duration::from_secs(1)));
        }
        if !self.status.started() {
            return Some(self.status.not_started());
        }
        None
    }
}

/// Puts the gate before all routes, and problems in place of bare statuses.
pub(super) fn close(routes: Router, gate: Arc<Gate>, cors: Cors, strangers: Strangers) -> Router {
    let routes = routes
        .fallback(|| async { Problem::not_found("there is no such route; /openapi.json lists those that are") })
        .method_not_allowed_fallback(|| async { Problem::new(&codes::METHOD_NOT_ALLOWED) })
        .layer(DefaultBodyLimit::max(gate.max_body))
        .layer(middleware::from_fn_with_state(gate.clone(), pass))
        .layer(middleware::from_fn_with_state(gate, say_goodbye));
    // Outside of the gate: a page must be able to read that it was refused.
    cors.close(routes)
        .layer(middleware::from_fn_with_state(strangers, observe))
}

async fn say_goodbye(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if gate.leaving.load(Ordering::Relaxed) {
        response
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn pass(State(gate): State<Arc<Gate>>, mut request: Request, next: Next) -> Response {
    if let Some(problem) = gate.refusal() {
        return problem.into_response();
    }
    if let Some(client) = gate.proxies.client_of(&request) {
        request.extensions_mut().insert(client);
    }
    let time = gate.time_of(request.headers());
    if time.is_zero() {
        return Problem::new(&codes::DEADLINE_EXCEEDED).into_response();
    }
    let deadline = Deadline::after(time);
    let request = match gate.arrivals.whole(request, deadline.instant()).await {
        Ok(request) => request,
        Err(problem) => return problem.into_response(),
    };
    let Ok(place) = gate.places.clone().try_acquire_owned() else {
        counter!(names::HTTP_SHED).increment(1);
        return Problem::new(&codes::OVERLOADED)
            .retry_after(Duration::from_secs(1))
            .into_response();
    };
    let _active = Active::new();
    let answered = match *request.method() {
        Method::GET | Method::HEAD | Method::OPTIONS => read(&gate, request, next, time, deadline).await,
        _ => write(&gate, request, next, time, deadline, place).await,
    };
    answered.unwrap_or_else(IntoResponse::into_response)
}

/// Counts a request for as long as it is in flight, however it ends.
struct Active;

impl Active {
    fn new() -> Self {
        gauge!(names::HTTP_ACTIVE).increment(1.0);
        Self
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        gauge!(names::HTTP_ACTIVE).decrement(1.0);
    }
}

/// A read is cancelled when it takes too long or nobody waits for it.
async fn read(
    gate: &Gate,
    request: Request,
    next: Next,
    time: Duration,
    deadline: Deadline,
) -> Result<Response, Problem> {
    let working = AssertUnwindSafe(next.run(request)).catch_unwind();
    match timeout_at(deadline.instant(), within(deadline, working)).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(panic)) => Err(panicked(panic.as_ref())),
        Err(_) => {
            gate.suspect_after(time);
            Err(Problem::new(&codes::TIMEOUT).detail(format!("not done within {time:?}")))
        }
    }
}

/// A write is seen through. It keeps its place until then, whoever waits for it: callers who give little time could otherwise
/// begin any number of writes.
async fn write(
    gate: &Gate,
    request: Request,
    next: Next,
    time: Duration,
    deadline: Deadline,
    place: OwnedSemaphorePermit,
) -> Result<Response, Problem> {
    let working = AssertUnwindSafe(next.run(request)).catch_unwind();
    let working = timeout(gate.write_timeout, working).instrument(tracing::Span::current());
    let working = async move {
        let _place = place;
        working.await
    };
    let task = gate.writes.spawn(within(deadline, working));
    match timeout_at(deadline.instant(), task).await {
        Ok(Ok(Ok(Ok(response)))) => Ok(response),
        Ok(Ok(Ok(Err(panic)))) => Err(panicked(panic.as_ref())),
        Ok(Ok(Err(_))) | Err(_) => {
            gate.suspect_after(time);
            Err(Problem::new(&codes::OUTCOME_UNKNOWN).detail(format!("not done within {time:?}")))
        }
        Ok(Err(error)) => Err(Problem::internal(error)),
    }
}

/// Work of the present request that knows by when it must be done, in whichever task it runs.
fn within<F: Future>(deadline: Deadline, work: F) -> impl Future<Output = F::Output> {
    let mut context = context::current();
    context.deadline = Some(deadline);
    context::CURRENT.scope(context, work)
}

/// The panic hook has logged message and place.
fn panicked(payload: &(dyn Any + Send)) -> Problem {
    let message = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    tracing::error!(cause = message.unwrap_or("no message"), "request ended by a panic");
    Problem::new(&codes::INTERNAL)
}
