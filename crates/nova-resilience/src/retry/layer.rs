//! The layer around [`RetrySettings`]: decides after each attempt, waits, and calls again.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};
use tower::{Layer, Service};

use super::RetrySettings;
use super::backoff::full_jitter;
use crate::{Budget, Call, Classify, Counters, Failure, Repeat};

/// Repeats failed attempts. A failed answer that is not repeated is passed up as the answer it is.
///
/// Never repeated: an answer or error that is final, a call that is not repeatable and may have been sent,
/// [`Failure::Open`], [`Failure::Full`], whatever the budget refuses, and whatever would have to wait until the deadline.
#[derive(Clone)]
pub struct RetryLayer<C> {
    shared: Arc<Shared>,
    classify: C,
}

struct Shared {
    settings: RetrySettings,
    budget: Budget,
    jitter: Jitter,
    counters: Counters,
}

/// Makes a wait of the longest wait.
type Jitter = Box<dyn Fn(Duration) -> Duration + Send + Sync>;

impl<C> RetryLayer<C> {
    /// Retries within `budget` and judges results by `classify`.
    pub fn new(settings: RetrySettings, budget: Budget, classify: C) -> Self {
        Self::with_jitter(settings, budget, classify, Counters::default(), full_jitter)
    }

    /// The same with its counters, and with `jitter` in place of full jitter: it makes a wait of the longest wait.
    pub fn with_jitter(
        settings: RetrySettings,
        budget: Budget,
        classify: C,
        counters: Counters,
        jitter: impl Fn(Duration) -> Duration + Send + Sync + 'static,
    ) -> Self {
        let jitter = Box::new(jitter);
        Self {
            shared: Arc::new(Shared {
                settings,
                budget,
                jitter,
                counters,
            }),
            classify,
        }
    }

    /// The same, counting retries and refusals there.
    pub(crate) fn counted(settings: RetrySettings, budget: Budget, classify: C, counters: Counters) -> Self {
        Self::with_jitter(settings, budget, classify, counters, full_jitter)
    }
}

impl<C> fmt::Debug for RetryLayer<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RetryLayer")
            .field("settings", &self.shared.settings)
            .field("budget", &self.shared.budget)
            .finish_non_exhaustive()
    }
}

impl<S, C: Clone> Layer<S> for RetryLayer<C> {
    type Service = RetryService<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        RetryService {
            layer: self.clone(),
            inner,
        }
    }
}

/// The service of [`RetryLayer`].
#[derive(Clone, Debug)]
pub struct RetryService<S, C> {
    layer: RetryLayer<C>,
    inner: S,
}

impl<S, C, R, E> Service<Call<R>> for RetryService<S, C>
where
    S: Service<Call<R>, Error = Failure<E>> + Clone,
    C: Classify<S::Response, E> + Clone,
    R: Clone,
{
    type Response = S::Response;
    type Error = Failure<E>;
    type Future = RetryFuture<S, C, R, S::Future>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut call: Call<R>) -> Self::Future {
        call.attempt = 0;
        let now = Instant::now();
        self.layer.shared.budget.deposit(now.into_std());
        let attempt = self.layer.shared.attempt(now, &call);
        RetryFuture {
            layer: self.layer.clone(),
            service: self.inner.clone(),
            sent: false,
            state: State::Calling {
                future: self.inner.call(attempt),
            },
            call,
        }
    }
}

impl Shared {
    /// The call as its next attempt sees it.
    fn attempt<R: Clone>(&self, now: Instant, call: &Call<R>) -> Call<R> {
        let mut attempt = call.clone();
        attempt.deadline = self
            .settings
            .attempt_deadline(now, call.deadline, call.attempt, call.repeatable);
        attempt
    }

    /// When to retry after this result, if at all. The budget is asked last: it notes what it allows.
    fn retry_at<C, R, Res, E>(&self, classify: &C, call: &Call<R>, result: &Result<Res, Failure<E>>) -> Option<Instant>
    where
        C: Classify<Res, E>,
    {
        let (repeat, retry_after) = match result {
            Ok(answer) => meaning(classify, Ok(answer)),
            Err(Failure::Transport(error)) => meaning(classify, Err(error)),
            Err(Failure::DeadlineExceeded { attempt_sent: true }) => (Repeat::IfRepeatable, None),
            Err(Failure::DeadlineExceeded { attempt_sent: false }) => (Repeat::Always, None),
            Err(Failure::Open { .. } | Failure::Full) => (Repeat::Never, None),
        };
        let allowed = match repeat {
            Repeat::Never => false,
            Repeat::IfRepeatable => call.repeatable,
            Repeat::Always => true,
        };
        if !allowed || call.attempt >= self.settings.max {
            return None;
        }
        let longest = self.settings.longest_wait(call.attempt);
        let wait = (self.jitter)(longest).max(retry_after.unwrap_or_default());
        let now = Instant::now();
        let at = now.checked_add(wait)?;
        if call.deadline.is_some_and(|deadline| at >= deadline.instant()) {
            return None;
        }
        if !self.budget.withdraw(now.into_std()) {
            self.counters.retry_refused();
            return None;
        }
        Some(at)
    }
}

fn meaning<C, Res, E>(classify: &C, result: Result<&Res, &E>) -> (Repeat, Option<Duration>)
where
    C: Classify<Res, E>,
{
    let verdict = classify.classify(result);
    (verdict.repeat, verdict.retry_after)
}

pin_project! {
    /// The future of [`RetryService`].
    pub struct RetryFuture<S, C, R, F> {
        layer: RetryLayer<C>,
        service: S,
        call: Call<R>,
        // Whether an attempt before this one may have reached the host.
        sent: bool,
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F> {
        Calling {
            #[pin]
            future: F,
        },
        Waiting {
            #[pin]
            timer: Sleep,
        },
    }
}

impl<S, C, R, F> fmt::Debug for RetryFuture<S, C, R, F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RetryFuture")
            .field("attempt", &self.call.attempt)
            .finish_non_exhaustive()
    }
}

impl<S, C, R, E> Future for RetryFuture<S, C, R, S::Future>
where
    S: Service<Call<R>, Error = Failure<E>>,
    C: Classify<S::Response, E>,
    R: Clone,
{
    type Output = Result<S::Response, Failure<E>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let shared = &this.layer.shared;
        loop {
            let next = match this.state.as_mut().project() {
                StateProjection::Calling { future } => {
                    let mut result = ready!(future.poll(context));
                    let Some(at) = shared.retry_at(&this.layer.classify, this.call, &result) else {
                        if let Err(Failure::DeadlineExceeded { attempt_sent }) = &mut result {
                            *attempt_sent |= *this.sent;
                        }
                        return Poll::Ready(result);
                    };
                    *this.sent |= !matches!(result, Err(Failure::DeadlineExceeded { attempt_sent: false }));
                    State::Waiting { timer: sleep_until(at) }
                }
                StateProjection::Waiting { timer } => {
                    ready!(timer.poll(context));
                    shared.counters.retry();
                    this.call.attempt += 1;
                    State::Calling {
                        future: this.service.call(shared.attempt(Instant::now(), this.call)),
                    }
                }
            };
            this.state.set(next);
        }
    }
}
