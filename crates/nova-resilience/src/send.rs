//! The step from the layers to the inner service: counts what is sent, and makes its error a [`Failure`].

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tower::{Layer, Service};

use crate::{Call, Counters, Failure};

/// The innermost layer: what reaches the inner service is an attempt, what it fails with is [`Failure::Transport`].
#[derive(Clone, Debug, Default)]
pub struct SendLayer {
    counters: Counters,
}

impl SendLayer {
    /// Counts the attempts there.
    pub fn new(counters: Counters) -> Self {
        Self { counters }
    }
}

impl<S> Layer<S> for SendLayer {
    type Service = SendService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        SendService {
            counters: self.counters.clone(),
            inner,
        }
    }
}

/// The service of [`SendLayer`].
#[derive(Clone, Debug)]
pub struct SendService<S> {
    counters: Counters,
    inner: S,
}

impl<S, R> Service<Call<R>> for SendService<S>
where
    S: Service<Call<R>>,
{
    type Response = S::Response;
    type Error = Failure<S::Error>;
    type Future = SendFuture<S::Future>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call<R>) -> Self::Future {
        self.counters.attempt();
        SendFuture {
            future: self.inner.call(call),
        }
    }
}

pin_project! {
    /// The future of [`SendService`].
    #[derive(Debug)]
    pub struct SendFuture<F> {
        #[pin]
        future: F,
    }
}

impl<F, Res, E> Future for SendFuture<F>
where
    F: Future<Output = Result<Res, E>>,
{
    type Output = Result<Res, Failure<E>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().future.poll(context).map_err(Failure::Transport)
    }
}
