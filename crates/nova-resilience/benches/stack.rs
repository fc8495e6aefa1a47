//! What the layers add to a call, beside their peers: `cargo bench -p nova-resilience --bench stack`.
//!
//! The inner service answers at once (`bare`), or the second time it is asked (`waiting/...`, where timers are armed).
//! A peer runs with what comes closest to the same settings.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark fails by panicking, and criterion makes undocumented items"
)]

use std::future::Future;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use nova_resilience::{
    Breaker, BreakerLayer, BreakerSettings, Budget, Bulkhead, BulkheadLayer, Call, Deadline, DeadlineLayer, Failure,
    Outcome, Resilience, RetryLayer, RetrySettings, SendLayer, SendService, Settings, Verdict,
};
use tower::retry::budget::{Budget as _, TpsBudget};
use tower::{Layer, Service};
use tower_resilience_bulkhead::BulkheadLayer as PeerBulkhead;
use tower_resilience_circuitbreaker::{CircuitBreakerLayer, SlidingWindowType};
use tower_resilience_retry::RetryLayer as PeerRetry;
use tower_resilience_timelimiter::TimeLimiterLayer;

const SECOND: Duration = Duration::from_secs(1);

/// As large as a request behind its `Arc`.
type Request = Arc<()>;

#[derive(Clone, Copy, Debug)]
struct Broken;

/// Answers after being polled so often.
#[derive(Clone)]
struct Host {
    answer: Result<u16, Broken>,
    polls: u8,
}

struct Answer(Host);

impl Future for Answer {
    type Output = Result<u16, Broken>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.polls -= 1;
        if self.0.polls > 0 {
            return Poll::Pending;
        }
        Poll::Ready(self.0.answer)
    }
}

impl<R> Service<Call<R>> for Host {
    type Response = u16;
    type Error = Broken;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call<R>) -> Self::Future {
        black_box(call.attempt);
        Answer(self.clone())
    }
}

const HEALTHY: Host = Host {
    answer: Ok(200),
    polls: 1,
};
const WAITING: Host = Host {
    answer: Ok(200),
    polls: 2,
};

fn classify(result: Result<&u16, &Broken>) -> Verdict {
    match result {
        Ok(..500) => Verdict::success(),
        _ => Verdict::failure(),
    }
}

/// Polls a call to its end.
fn finish<S: Service<Call<Request>>>(service: &mut S, request: &Request) -> Result<S::Response, S::Error> {
    let call = Call::new(Arc::clone(request)).repeatable(true);
    let mut future = pin!(service.call(call));
    loop {
        if let Poll::Ready(result) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return result;
        }
    }
}

fn measure<S: Service<Call<Request>>>(criterion: &mut Criterion, name: &str, mut service: S) {
    let request = Arc::new(());
    criterion.bench_function(name, |bench| {
        bench.iter(|| drop(black_box(finish(&mut service, &request))))
    });
}

fn breaker() -> Breaker {
    let settings = Settings::default();
    Breaker::new(BreakerSettings {
        window: settings.breaker_window,
        minimum_calls: settings.breaker_minimum_calls,
        failure_ratio: settings.breaker_failure_ratio,
        slow_call: settings.breaker_slow_call,
        slow_ratio: settings.breaker_slow_ratio,
        open: settings.breaker_open,
        probes: settings.breaker_probes,
        probe_timeout: settings.breaker_probe_timeout,
    })
}

fn retry() -> impl Layer<SendService<Host>, Service: Service<Call<Request>>> {
    let settings = RetrySettings {
        max: 3,
        delay: Duration::from_millis(100),
        delay_max: SECOND,
        attempt_min: SECOND,
    };
    RetryLayer::new(settings, Budget::new(0.2, 1), classify)
}

fn ours(criterion: &mut Criterion) {
    let resilience = || Resilience::new(&Settings::default(), classify).unwrap();
    let send = || SendLayer::default().layer(HEALTHY);
    measure(criterion, "bare", HEALTHY);
    measure(criterion, "stack", resilience().layer(HEALTHY));
    measure(criterion, "waiting/bare", WAITING);
    measure(criterion, "waiting/stack", resilience().layer(WAITING));
    measure(
        criterion,
        "layer/deadline",
        DeadlineLayer::total(3 * SECOND).layer(send()),
    );
    measure(criterion, "layer/retry", retry().layer(send()));
    measure(
        criterion,
        "layer/breaker",
        BreakerLayer::new(breaker(), classify).layer(send()),
    );
    let bulkhead = Bulkhead::new(50, Duration::from_millis(100));
    measure(criterion, "layer/bulkhead", BulkheadLayer::new(bulkhead).layer(send()));
}

fn rejections(criterion: &mut Criterion) {
    let open = Settings {
        breaker_minimum_calls: 1,
        breaker_open: Duration::from_secs(3600),
        ..Settings::default()
    };
    let resilience = Resilience::new(&open, classify).unwrap();
    let broken = Host {
        answer: Err(Broken),
        polls: 1,
    };
    let request = Arc::new(());
    let once = Call::new(Arc::clone(&request));
    let poll = pin!(resilience.layer(broken).call(once)).poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(poll, Poll::Ready(Err(Failure::Transport(_)))));
    let mut service = resilience.layer(HEALTHY);
    assert!(matches!(finish(&mut service, &request), Err(Failure::Open { .. })));
    measure(criterion, "rejected/open", service);

    let full = Settings {
        limit: 1,
        pool_wait: Duration::ZERO,
        ..Settings::default()
    };
    let mut service = Resilience::new(&full, classify).unwrap().layer(WAITING);
    let mut running = pin!(service.call(Call::new(Arc::clone(&request))));
    assert!(
        running
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_pending()
    );
    assert!(matches!(finish(&mut service, &request), Err(Failure::Full)));
    measure(criterion, "rejected/full", service);

    let layer = CircuitBreakerLayer::builder()
        .minimum_number_of_calls(1)
        .sliding_window_size(1)
        .wait_duration_in_open(Duration::from_secs(3600))
        .build()
        .unwrap();
    let mut service = layer.layer(broken_host());
    let _ = finish(&mut service, &request);
    measure(criterion, "rejected/open/tower-resilience", service);
}

fn broken_host() -> Host {
    Host {
        answer: Err(Broken),
        polls: 1,
    }
}

/// The peers' layers around the same service.
fn peers(criterion: &mut Criterion) {
    let counting = || {
        CircuitBreakerLayer::builder()
            .failure_rate_threshold(0.5)
            .slow_call_duration_threshold(SECOND)
            .slow_call_rate_threshold(0.5)
            .build()
            .unwrap()
    };
    let bulkhead = || {
        PeerBulkhead::builder()
            .max_concurrent_calls(50)
            .max_wait_duration(Duration::from_millis(100))
            .build()
            .unwrap()
    };
    let limit = || TimeLimiterLayer::builder().timeout_duration(3 * SECOND).build();
    measure(
        criterion,
        "layer/breaker/tower-resilience, count window",
        counting().layer(HEALTHY),
    );
    measure(criterion, "layer/bulkhead/tower-resilience", bulkhead().layer(HEALTHY));
    measure(criterion, "layer/deadline/tower-resilience", limit().layer(HEALTHY));
    let retry = || {
        PeerRetry::<Call<Request>, u16, Broken>::builder()
            .max_attempts(4)
            .build()
    };
    measure(criterion, "layer/retry/tower-resilience", retry().layer(HEALTHY));
    let inner = limit().layer(bulkhead().layer(counting().layer(HEALTHY)));
    measure(
        criterion,
        "stack/tower-resilience, without retry and attempts' deadlines",
        inner,
    );

    // It keeps a record of each call of the window and goes through all of them at each call: 10,000 of them here.
    let timed = || {
        CircuitBreakerLayer::builder()
            .sliding_window_type(SlidingWindowType::TimeBased)
            .sliding_window_duration(Duration::from_secs(3600))
            .build()
            .unwrap()
    };
    let request = Arc::new(());
    criterion.bench_function("layer/breaker/tower-resilience, time window of 10,000 calls", |bench| {
        bench.iter_custom(|iterations| {
            let mut service = timed().layer(HEALTHY);
            for _ in 0..10_000 {
                let _ = finish(&mut service, &request);
            }
            // Few enough not to change the window's size much.
            let measured = 100;
            let start = std::time::Instant::now();
            for _ in 0..measured {
                let _ = black_box(finish(&mut service, &request));
            }
            start.elapsed() * u32::try_from(iterations).unwrap() / measured
        });
    });
}

/// The state machines alone: one call let through and judged, one retry budgeted.
fn machines(criterion: &mut Criterion) {
    let now = || tokio::time::Instant::now().into_std();
    let own = breaker();
    criterion.bench_function("machine/breaker", |bench| {
        bench.iter(|| own.admit(now()).unwrap().settle(now(), Outcome::Success));
    });
    let recloser = recloser::Recloser::custom().error_rate(0.5).closed_len(100).build();
    criterion.bench_function("machine/breaker/recloser, count window", |bench| {
        bench.iter(|| recloser.call(|| Ok::<_, Broken>(black_box(200))).unwrap());
    });
    let policy = failsafe::failure_policy::success_rate_over_time_window(
        0.5,
        10,
        Duration::from_secs(10),
        failsafe::backoff::constant(2 * SECOND),
    );
    let failsafe = failsafe::Config::new().failure_policy(policy).build();
    criterion.bench_function("machine/breaker/failsafe, time window", |bench| {
        bench.iter(|| failsafe::CircuitBreaker::call(&failsafe, || Ok::<_, Broken>(black_box(200))).unwrap());
    });
    let budget = Budget::new(0.2, 1);
    criterion.bench_function("machine/budget", |bench| {
        bench.iter(|| {
            budget.deposit(now());
            budget.withdraw(now())
        });
    });
    let tower = TpsBudget::new(Duration::from_secs(10), 1, 0.2);
    criterion.bench_function("machine/budget/tower", |bench| {
        bench.iter(|| {
            tower.deposit();
            tower.withdraw()
        });
    });
    criterion.bench_function("machine/deadline", |bench| {
        bench.iter(|| Deadline::after(black_box(SECOND)).expired())
    });
}

fn all(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _entered = runtime.enter();
    ours(criterion);
    rejections(criterion);
    peers(criterion);
    machines(criterion);
}

criterion_group!(
    name = benches;
    config = Criterion::default().warm_up_time(SECOND).measurement_time(2 * SECOND);
    targets = all
);
criterion_main!(benches);
