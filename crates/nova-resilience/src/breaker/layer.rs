//! Asks the breaker before each attempt, and tells it what came of it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use pin_project_lite::pin_project;
use tower::{Layer, Service};

use super::{Breaker, Outcome, Permit, now};
use crate::{Call, Classify, Counters, Failure, Health};

/// Refuses calls with [`Failure::Open`] while the breaker is open.
#[derive(Clone, Debug)]
pub struct BreakerLayer<C> {
    breaker: Breaker,
    classify: C,
    patience: Duration,
    counters: Counters,
}

impl<C> BreakerLayer<C> {
    /// Puts `breaker` before the inner service and judges results by `classify`.
    pub fn new(breaker: Breaker, classify: C) -> Self {
        Self {
            breaker,
            classify,
            patience: Duration::ZERO,
            counters: Counters::default(),
        }
    }

    /// A host is blamed for a passed deadline only when it had this long: otherwise callers with tiny budgets could open
    /// the breaker for everyone.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Counts the refusals there.
    #[must_use]
    pub fn counting(mut self, counters: Counters) -> Self {
        self.counters = counters;
        self
    }
}

impl<S, C: Clone> Layer<S> for BreakerLayer<C> {
    type Service = BreakerService<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        BreakerService {
            layer: Arc::new(self.clone()),
            inner,
        }
    }
}

/// The service of [`BreakerLayer`].
#[derive(Clone, Debug)]
pub struct BreakerService<S, C> {
    // One count of references to raise for each clone, rather than one for each part.
    layer: Arc<BreakerLayer<C>>,
    inner: S,
}

impl<S, C, R, E> Service<Call<R>> for BreakerService<S, C>
where
    S: Service<Call<R>, Error = Failure<E>>,
    C: Classify<S::Response, E> + Clone,
{
    type Response = S::Response;
    type Error = Failure<E>;
    type Future = BreakerFuture<S::Future, C>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call<R>) -> Self::Future {
        let state = match self.layer.breaker.admit(now()) {
            Ok(permit) => State::Calling {
                permit: Some(permit),
                classify: self.layer.classify.clone(),
                patience: self.layer.patience,
                future: self.inner.call(call),
            },
            Err(retry_after) => {
                self.layer.counters.open();
                State::Refused { retry_after }
            }
        };
        BreakerFuture { state }
    }
}

pin_project! {
    /// The future of [`BreakerService`].
    #[derive(Debug)]
    pub struct BreakerFuture<F, C> {
        #[pin]
        state: State<F, C>,
    }
}

pin_project! {
    #[project = StateProjection]
    #[derive(Debug)]
    enum State<F, C> {
        Refused { retry_after: Duration },
        Calling {
            permit: Option<Permit>,
            classify: C,
            patience: Duration,
            #[pin]
            future: F,
        },
    }
}

impl<F, C, Res, E> Future for BreakerFuture<F, C>
where
    F: Future<Output = Result<Res, Failure<E>>>,
    C: Classify<Res, E>,
{
    type Output = Result<Res, Failure<E>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Refused { retry_after } => Poll::Ready(Err(Failure::Open {
                retry_after: *retry_after,
            })),
            StateProjection::Calling {
                permit,
                classify,
                patience,
                future,
            } => {
                let result = ready!(future.poll(context));
                if let Some(permit) = permit.take() {
                    settle(permit, health(&*classify, &result), *patience, &result);
                }
                Poll::Ready(result)
            }
        }
    }
}

fn health<C, Res, E>(classify: &C, result: &Result<Res, Failure<E>>) -> Health
where
    C: Classify<Res, E>,
{
    match result {
        Ok(answer) => classify.classify(Ok(answer)).health,
        Err(Failure::Transport(error)) => classify.classify(Err(error)).health,
        Err(Failure::DeadlineExceeded { attempt_sent: true }) => Health::Bad,
        Err(Failure::DeadlineExceeded { .. } | Failure::Open { .. } | Failure::Full) => Health::Unknown,
    }
}

fn settle<Res, E>(permit: Permit, health: Health, patience: Duration, result: &Result<Res, Failure<E>>) {
    let now = now();
    let outcome = match health {
        Health::Good => Outcome::Success,
        Health::Bad if ended_early(&permit, now, patience, result) => return,
        Health::Bad => Outcome::Failure,
        Health::Unknown => return,
    };
    permit.settle(now, outcome);
}

fn ended_early<Res, E>(permit: &Permit, now: Instant, patience: Duration, result: &Result<Res, Failure<E>>) -> bool {
    matches!(result, Err(Failure::DeadlineExceeded { .. }))
        && permit
            .started()
            .is_some_and(|started| now.saturating_duration_since(started) < patience)
}
