//! A host to call, played by a closure.

use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use nova_resilience::{Call, Resilience, Settings, Verdict};
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt};

/// An error of the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    pub sent: bool,
}

pub type Answer = Result<u16, Broken>;

/// Statuses as in HTTP; 599 is a failure that is marked as final, 503 asks for a second.
pub fn classify(result: Result<&u16, &Broken>) -> Verdict {
    match result {
        Ok(503) => Verdict::failure().after(Duration::from_secs(1)),
        Ok(599) => Verdict::failure().last(),
        Ok(500..) => Verdict::failure(),
        Ok(_) => Verdict::success(),
        Err(Broken { sent: true }) => Verdict::failure(),
        Err(Broken { sent: false }) => Verdict::unsent(),
    }
}

pub type Classifier = fn(Result<&u16, &Broken>) -> Verdict;
pub const CLASSIFY: Classifier = classify;

/// What an attempt saw.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub attempt: u32,
    pub at: Instant,
    pub remaining: Option<Duration>,
}

/// A host that answers by `script`, given how many attempts it saw before.
#[derive(Clone)]
pub struct Host {
    script: Arc<dyn Fn(u32) -> BoxFuture<'static, Answer> + Send + Sync>,
    seen: Arc<Mutex<Vec<Seen>>>,
    count: Arc<AtomicU32>,
}

impl Host {
    pub fn new<F>(script: impl Fn(u32) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        Self {
            script: Arc::new(move |count| Box::pin(script(count))),
            seen: Arc::default(),
            count: Arc::default(),
        }
    }

    pub fn answering(answer: Answer) -> Self {
        Self::new(move |_| async move { answer })
    }

    pub fn hanging() -> Self {
        Self::new(|_| std::future::pending())
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

impl Service<Call<()>> for Host {
    type Response = u16;
    type Error = Broken;
    type Future = BoxFuture<'static, Answer>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Broken>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call<()>) -> Self::Future {
        self.seen.lock().unwrap().push(Seen {
            attempt: call.attempt,
            at: Instant::now(),
            remaining: call.deadline.map(nova_resilience::Deadline::remaining),
        });
        (self.script)(self.count.fetch_add(1, Ordering::Relaxed))
    }
}

/// Settings under which neither breaker nor budget interferes.
pub fn lenient() -> Settings {
    Settings {
        budget_floor: 1000,
        breaker_minimum_calls: 100_000,
        ..Settings::default()
    }
}

pub fn resilience(settings: &Settings) -> Resilience<Classifier> {
    Resilience::new(settings, CLASSIFY).unwrap()
}

pub async fn send<S>(service: &S, call: Call<()>) -> Result<S::Response, S::Error>
where
    S: Service<Call<()>> + Clone,
{
    service.clone().oneshot(call).await
}

pub fn stack(settings: &Settings, host: &Host) -> nova_resilience::Stack<Host, Classifier> {
    resilience(settings).layer(host.clone())
}
