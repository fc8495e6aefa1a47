//! Gives each attempt a place before it starts, or refuses it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tokio::sync::{AcquireError, OwnedSemaphorePermit};
use tokio::time::{Sleep, sleep_until};
use tower::{Layer, Service};

use super::{Bulkhead, Queued};
use crate::{Call, Counters, Deadline, Failure};

/// Refuses calls with [`Failure::Full`] when there is no place in flight, and none in the queue or none in time.
#[derive(Clone, Debug)]
pub struct BulkheadLayer {
    bulkhead: Bulkhead,
    counters: Counters,
}

impl BulkheadLayer {
    /// Puts `bulkhead` before the inner service.
    pub fn new(bulkhead: Bulkhead) -> Self {
        Self {
            bulkhead,
            counters: Counters::default(),
        }
    }

    /// Counts the refusals there.
    #[must_use]
    pub fn counting(mut self, counters: Counters) -> Self {
        self.counters = counters;
        self
    }
}

impl<S> Layer<S> for BulkheadLayer {
    type Service = BulkheadService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        BulkheadService {
            layer: Arc::new(self.clone()),
            inner,
        }
    }
}

/// The service of [`BulkheadLayer`].
#[derive(Clone, Debug)]
pub struct BulkheadService<S> {
    // One count of references to raise for each clone, rather than one for each part.
    layer: Arc<BulkheadLayer>,
    inner: S,
}

impl<S, R, E> Service<Call<R>> for BulkheadService<S>
where
    S: Service<Call<R>, Error = Failure<E>> + Clone,
{
    type Response = S::Response;
    type Error = Failure<E>;
    type Future = BulkheadFuture<S, R, S::Future>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call<R>) -> Self::Future {
        let bulkhead = &self.layer.bulkhead;
        let state = if let Some(place) = bulkhead.try_enter() {
            State::Calling {
                future: self.inner.call(call),
                place,
            }
        } else if let Some(queued) = bulkhead.queue() {
            let end = Deadline::after(bulkhead.0.wait);
            let timer = sleep_until(call.deadline.map_or(end, |given| given.earliest(end)).instant());
            State::Waiting {
                place: Box::pin(Arc::clone(&bulkhead.0.places).acquire_owned()),
                timer,
                expires: call.deadline.is_some_and(|given| given < end),
                next: Some((self.inner.clone(), call)),
                queued,
                counters: self.layer.counters.clone(),
            }
        } else {
            self.layer.counters.full();
            State::Full
        };
        BulkheadFuture { state }
    }
}

/// The semaphore's own future has no name. Only a call that waits pays for the box.
type Place = Pin<Box<dyn Future<Output = Result<OwnedSemaphorePermit, AcquireError>> + Send>>;

pin_project! {
    /// The future of [`BulkheadService`].
    pub struct BulkheadFuture<S, R, F> {
        #[pin]
        state: State<S, R, F>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, R, F> {
        Full,
        Waiting {
            place: Place,
            #[pin]
            timer: Sleep,
            // Whether the timer is the call's deadline rather than the bound of the wait.
            expires: bool,
            next: Option<(S, Call<R>)>,
            queued: Queued,
            counters: Counters,
        },
        Calling {
            #[pin]
            future: F,
            place: OwnedSemaphorePermit,
        },
        Done,
    }
}

impl<S, R, F> fmt::Debug for BulkheadFuture<S, R, F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("BulkheadFuture").finish_non_exhaustive()
    }
}

impl<S, R, E> Future for BulkheadFuture<S, R, S::Future>
where
    S: Service<Call<R>, Error = Failure<E>>,
{
    type Output = Result<S::Response, Failure<E>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProjection::Full => return Poll::Ready(Err(Failure::Full)),
                StateProjection::Waiting {
                    place,
                    timer,
                    expires,
                    next,
                    counters,
                    ..
                } => match place.as_mut().poll(context) {
                    Poll::Ready(Ok(place)) => match next.take() {
                        Some((mut service, call)) => State::Calling {
                            future: service.call(call),
                            place,
                        },
                        None => State::Full,
                    },
                    // Nobody closes the semaphore.
                    Poll::Ready(Err(_)) => State::Full,
                    Poll::Pending => {
                        ready!(timer.poll(context));
                        let failure = if *expires {
                            Failure::DeadlineExceeded { attempt_sent: false }
                        } else {
                            counters.full();
                            Failure::Full
                        };
                        state.set(State::Done);
                        return Poll::Ready(Err(failure));
                    }
                },
                StateProjection::Calling { future, .. } => {
                    let result = ready!(future.poll(context));
                    // The place is free as soon as the answer is there, not when this future is dropped.
                    state.set(State::Done);
                    return Poll::Ready(result);
                }
                StateProjection::Done => return Poll::Pending,
            };
            state.set(next);
        }
    }
}
