//! A call that is dropped, at any point of its way, leaves nothing behind.

use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use nova_resilience::{BreakerState, Call, Settings};
use tower::{Layer, Service};

use crate::support::{Host, resilience, send};

/// More polls than any of the calls below needs.
const POLLS: usize = 80;
const STEP: Duration = Duration::from_millis(50);

/// A host that crawls and fails in turn.
fn host() -> Host {
    Host::new(|count| async move {
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
        Ok(if count % 3 == 2 { 200 } else { 500 })
    })
}

/// Polls the call so often, as time passes, and drops it.
async fn cancel_after<S>(service: &mut S, polls: usize) -> bool
where
    S: Service<Call<()>>,
{
    let mut call = pin!(service.call(Call::new(()).repeatable(true)));
    for _ in 0..polls {
        if call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
            return true;
        }
        tokio::time::advance(STEP).await;
    }
    false
}

#[tokio::test(start_paused = true)]
async fn every_place_comes_back() {
    let settings = Settings {
        limit: 1,
        breaker_minimum_calls: 100_000,
        budget_floor: 1000,
        ..Settings::default()
    };
    for occupied in [false, true] {
        let resilience = resilience(&settings);
        let stats = resilience.stats();
        let mut service = resilience.layer(host());
        let mut ends = [0, 0];
        for polls in 0..POLLS {
            // With one in flight, the other goes through the queue.
            let other = occupied.then(|| {
                let service = resilience.layer(Host::hanging());
                tokio::spawn(async move { send(&service, Call::new(())).await })
            });
            tokio::task::yield_now().await;
            let ended = cancel_after(&mut service, polls).await;
            ends[usize::from(ended)] += 1;
            if let Some(other) = other {
                other.abort();
                let _ = other.await;
            }
            let snapshot = stats.snapshot();
            assert_eq!(
                (snapshot.in_flight, snapshot.waiting),
                (0, 0),
                "{occupied} after {polls} polls"
            );
        }
        assert!(ends[0] > 2 && ends[1] > 2, "dropped before and after the end: {ends:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_probe_comes_back() {
    let settings = Settings {
        breaker_minimum_calls: 1,
        breaker_probes: 1,
        breaker_probe_timeout: Duration::from_secs(60),
        retry_max: 0,
        ..Settings::default()
    };
    let resilience = resilience(&settings);
    let stats = resilience.stats();
    let failing = resilience.layer(Host::answering(Ok(500)));
    assert_eq!(send(&failing, Call::new(())).await, Ok(500));
    assert_eq!(stats.snapshot().breaker, BreakerState::Open);
    tokio::time::advance(settings.breaker_open).await;
    assert_eq!(stats.snapshot().breaker, BreakerState::HalfOpen);
    let mut hanging = resilience.layer(Host::hanging());
    for polls in 0..4 {
        assert!(!cancel_after(&mut hanging, polls).await);
        assert_eq!(stats.snapshot().breaker, BreakerState::HalfOpen);
    }
    let healthy = resilience.layer(Host::answering(Ok(200)));
    assert_eq!(send(&healthy, Call::new(())).await, Ok(200));
    assert_eq!(stats.snapshot().breaker, BreakerState::Closed);
}
