//! Applied twice: outermost with the default for a whole call, innermost for what one attempt was given.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};
use tower::{Layer, Service};

use super::Deadline;
use crate::{Call, Counters, Failure};

/// Ends calls at their deadline. A call whose deadline has passed is refused before the inner service sees it.
#[derive(Clone, Debug)]
pub struct DeadlineLayer {
    default: Option<Duration>,
    counters: Option<Counters>,
}

impl DeadlineLayer {
    /// The outermost: a call has `default` at most, or less if it came with less.
    pub fn total(default: Duration) -> Self {
        Self {
            default: Some(default),
            counters: None,
        }
    }

    /// The innermost: an attempt has what it was given.
    pub fn attempt() -> Self {
        Self {
            default: None,
            counters: None,
        }
    }

    /// Counts the calls and those that ended at a deadline.
    #[must_use]
    pub fn counting(mut self, counters: Counters) -> Self {
        self.counters = Some(counters);
        self
    }
}

impl<S> Layer<S> for DeadlineLayer {
    type Service = DeadlineService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        DeadlineService {
            layer: self.clone(),
            inner,
        }
    }
}

/// The service of [`DeadlineLayer`].
#[derive(Clone, Debug)]
pub struct DeadlineService<S> {
    layer: DeadlineLayer,
    inner: S,
}

impl<S, R, E> Service<Call<R>> for DeadlineService<S>
where
    S: Service<Call<R>, Error = Failure<E>>,
{
    type Response = S::Response;
    type Error = Failure<E>;
    type Future = DeadlineFuture<S::Future>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut call: Call<R>) -> Self::Future {
        let now = Instant::now();
        if let Some(default) = self.layer.default {
            let own = Deadline::from(now, default);
            call.deadline = Some(call.deadline.map_or(own, |given| given.earliest(own)));
        }
        if let Some(counters) = &self.layer.counters {
            counters.call();
        }
        let deadline = call.deadline;
        let state = if deadline.is_some_and(|deadline| deadline.instant() <= now) {
            State::Expired
        } else {
            State::Running {
                future: self.inner.call(call),
                timer: None,
            }
        };
        DeadlineFuture {
            deadline,
            counters: self.layer.counters.clone(),
            state,
        }
    }
}

pin_project! {
    /// The future of [`DeadlineService`].
    #[derive(Debug)]
    pub struct DeadlineFuture<F> {
        deadline: Option<Deadline>,
        counters: Option<Counters>,
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProjection]
    #[derive(Debug)]
    enum State<F> {
        Expired,
        Running {
            #[pin]
            future: F,
            // Made when the inner future waits for the first time: what is ready at once pays for no timer.
            #[pin]
            timer: Option<Sleep>,
        },
    }
}

impl<F, Res, E> Future for DeadlineFuture<F>
where
    F: Future<Output = Result<Res, Failure<E>>>,
{
    type Output = Result<Res, Failure<E>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = ready!(poll_state(this.state, *this.deadline, context));
        if let (Some(counters), Err(Failure::DeadlineExceeded { .. })) = (this.counters, &result) {
            counters.deadline_exceeded();
        }
        Poll::Ready(result)
    }
}

/// The inner future comes before the timer, so that an answer, or an attempt's own end, wins against the total.
fn poll_state<F, Res, E>(
    state: Pin<&mut State<F>>,
    deadline: Option<Deadline>,
    context: &mut Context<'_>,
) -> Poll<Result<Res, Failure<E>>>
where
    F: Future<Output = Result<Res, Failure<E>>>,
{
    match state.project() {
        StateProjection::Expired => Poll::Ready(Err(Failure::DeadlineExceeded { attempt_sent: false })),
        StateProjection::Running { future, mut timer } => {
            if let Poll::Ready(result) = future.poll(context) {
                return Poll::Ready(result);
            }
            let Some(deadline) = deadline else {
                return Poll::Pending;
            };
            if timer.is_none() {
                timer.set(Some(sleep_until(deadline.instant())));
            }
            if let Some(timer) = timer.as_pin_mut() {
                ready!(timer.poll(context));
            }
            Poll::Ready(Err(Failure::DeadlineExceeded { attempt_sent: true }))
        }
    }
}
