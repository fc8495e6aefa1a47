//! All layers together against a host that misbehaves.

use std::time::Duration;

use nova_resilience::{BreakerState, Call, Deadline, Failure, Settings};
use tokio::time::Instant;
use tower::Layer;

use crate::support::{Broken, Host, lenient, resilience, send};

#[tokio::test(start_paused = true)]
async fn an_expired_call_is_refused_before_work_starts() {
    let host = Host::answering(Ok(200));
    let service = resilience(&lenient()).layer(host.clone());
    let call = Call::new(()).within(Deadline::after(Duration::ZERO));
    assert_eq!(
        send(&service, call).await,
        Err(Failure::DeadlineExceeded { attempt_sent: false })
    );
    assert!(host.seen().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_deadline_is_only_ever_moved_earlier() {
    let host = Host::answering(Ok(200));
    let service = resilience(&lenient()).layer(host.clone());
    for given in [Duration::from_secs(1), Duration::from_secs(9), Duration::MAX] {
        send(&service, Call::new(()).within(Deadline::after(given)))
            .await
            .unwrap();
    }
    let remaining: Vec<_> = host
        .seen()
        .iter()
        .map(|seen| seen.remaining.unwrap().as_secs())
        .collect();
    assert_eq!(remaining, [1, 3, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_hanging_host_is_left_alone_and_found_again() {
    let settings = Settings::default();
    let resilience = resilience(&settings);
    let (stats, hanging) = (resilience.stats(), Host::hanging());
    let service = resilience.layer(hanging.clone());
    let start = Instant::now();
    let mut calls = 0_u32;
    // Two callers that call again and again, for a minute.
    while start.elapsed() < Duration::from_secs(60) {
        let begun = Instant::now();
        let one = || send(&service, Call::new(()).repeatable(true));
        for result in <[_; 2]>::from(tokio::join!(one(), one())) {
            assert!(matches!(
                result,
                Err(Failure::DeadlineExceeded { .. } | Failure::Open { .. })
            ));
            calls += 1;
        }
        assert!(begun.elapsed() <= Duration::from_millis(3002));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let snapshot = stats.snapshot();
    assert!(snapshot.opened > 0 && snapshot.rejected_open > 0);
    assert!(u32::try_from(hanging.seen().len()).unwrap() < calls / 10);
    assert_eq!(snapshot.attempts, hanging.seen().len() as u64);
    assert_eq!(snapshot.calls, u64::from(calls));

    tokio::time::advance(settings.breaker_open).await;
    let healthy = resilience.layer(Host::answering(Ok(200)));
    for _ in 0..settings.breaker_probes {
        send(&healthy, Call::new(())).await.unwrap();
    }
    assert_eq!(stats.snapshot().breaker, BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn open_is_never_retried() {
    let resilience = resilience(&Settings {
        breaker_minimum_calls: 1,
        ..Settings::default()
    });
    let broken = resilience.layer(Host::answering(Err(Broken { sent: true })));
    send(&broken, Call::new(())).await.unwrap_err();
    let start = Instant::now();
    let result = send(&broken, Call::new(()).repeatable(true)).await;
    assert!(matches!(result, Err(Failure::Open { retry_after }) if retry_after == Duration::from_secs(2)));
    assert_eq!(start.elapsed(), Duration::ZERO);
    let snapshot = resilience.stats().snapshot();
    assert_eq!((snapshot.rejected_open, snapshot.retries), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_mistake_of_the_client_opens_nothing() {
    let resilience = resilience(&Settings {
        breaker_minimum_calls: 1,
        ..Settings::default()
    });
    let service = resilience.layer(Host::answering(Ok(404)));
    for _ in 0..20 {
        assert_eq!(send(&service, Call::new(())).await, Ok(404));
    }
    assert_eq!(resilience.stats().snapshot().breaker, BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn callers_with_tiny_budgets_open_nothing_for_others() {
    let resilience = resilience(&Settings::default());
    let service = resilience.layer(Host::hanging());
    for _ in 0..50 {
        let call = Call::new(()).within(Deadline::after(Duration::from_millis(5)));
        assert_eq!(
            send(&service, call).await,
            Err(Failure::DeadlineExceeded { attempt_sent: true })
        );
    }
    assert_eq!(resilience.stats().snapshot().breaker, BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_crawls_opens_the_breaker() {
    let resilience = resilience(&Settings::default());
    let service = resilience.layer(Host::new(|_| async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        Ok(200)
    }));
    for _ in 0..10 {
        // The window remembers ten seconds, so they go together.
        let calls: Vec<_> = (0..10)
            .map(|_| {
                let service = service.clone();
                tokio::spawn(async move { send(&service, Call::new(())).await })
            })
            .collect();
        for call in calls {
            let _ = call.await.unwrap();
        }
    }
    assert!(resilience.stats().snapshot().opened > 0);
}

#[tokio::test(start_paused = true)]
async fn a_full_host_is_not_retried() {
    let resilience = resilience(&Settings {
        limit: 1,
        pool_wait: Duration::ZERO,
        ..Settings::default()
    });
    let service = resilience.layer(Host::hanging());
    let running = tokio::spawn({
        let service = service.clone();
        async move { send(&service, Call::new(())).await }
    });
    tokio::task::yield_now().await;
    assert_eq!(send(&service, Call::new(()).repeatable(true)).await, Err(Failure::Full));
    let snapshot = resilience.stats().snapshot();
    assert_eq!(
        (snapshot.rejected_full, snapshot.retries, snapshot.in_flight),
        (1, 0, 1)
    );
    running.abort();
}
