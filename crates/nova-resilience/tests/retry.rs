//! What is retried, when, and what is not.

use std::time::Duration;

use nova_resilience::{
    Budget, Call, Counters, Deadline, DeadlineLayer, Failure, RetryLayer, RetrySettings, SendLayer, Settings,
};
use proptest::prelude::*;
use tokio::time::Instant;
use tower::{Layer, Service};

use crate::support::{Answer, Broken, CLASSIFY, Host, lenient, send, stack};

const SETTINGS: RetrySettings = RetrySettings {
    max: 3,
    delay: Duration::from_millis(100),
    delay_max: Duration::from_millis(300),
    attempt_min: Duration::from_millis(200),
};

/// Retries that wait for as long as they may.
fn patient(
    host: &Host,
) -> impl Service<Call<()>, Response = u16, Error = Failure<Broken>, Future: Send> + Clone + use<> {
    let layer = RetryLayer::with_jitter(
        SETTINGS,
        Budget::new(1.0, 1000),
        CLASSIFY,
        Counters::default(),
        |longest| longest,
    );
    layer.layer(DeadlineLayer::attempt().layer(SendLayer::default().layer(host.clone())))
}

fn call(repeatable: bool) -> Call<()> {
    Call::new(()).repeatable(repeatable)
}

fn within(ms: u64) -> Deadline {
    Deadline::after(Duration::from_millis(ms))
}

#[tokio::test(start_paused = true)]
async fn waits_double_up_to_their_bound() {
    let host = Host::answering(Ok(500));
    let start = Instant::now();
    assert_eq!(
        send(&patient(&host), call(true)).await,
        Ok(500),
        "a failed answer is an answer"
    );
    let seen = host.seen();
    assert_eq!(seen.iter().map(|seen| seen.attempt).collect::<Vec<_>>(), [0, 1, 2, 3]);
    for (seen, wanted) in seen.iter().zip([0, 100, 300, 600]) {
        let off = (seen.at - start).abs_diff(Duration::from_millis(wanted));
        assert!(off < Duration::from_millis(10), "{seen:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_repeated() {
    let cases: [(bool, Answer, usize); 8] = [
        (true, Ok(200), 1),
        (true, Ok(404), 1),
        (true, Ok(500), 4),
        (false, Ok(500), 1),
        (true, Ok(599), 1),
        (true, Err(Broken { sent: true }), 4),
        (false, Err(Broken { sent: true }), 1),
        (false, Err(Broken { sent: false }), 4),
    ];
    for (repeatable, answer, attempts) in cases {
        let host = Host::answering(answer);
        let result = send(&patient(&host), call(repeatable)).await;
        assert_eq!(result, answer.map_err(Failure::Transport));
        assert_eq!(host.seen().len(), attempts, "{repeatable} {answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_the_least_wait() {
    let host = Host::new(|count| async move { Ok(if count == 0 { 503 } else { 200 }) });
    let start = Instant::now();
    assert_eq!(send(&patient(&host), call(true).within(within(3000))).await, Ok(200));
    assert!(start.elapsed() >= Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_does_not_fit_is_not_begun() {
    let host = Host::answering(Ok(503));
    let start = Instant::now();
    assert_eq!(send(&patient(&host), call(true).within(within(900))).await, Ok(503));
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn each_attempt_gets_its_share() {
    let host = Host::hanging();
    let start = Instant::now();
    let result = send(&patient(&host), call(true).within(within(3000))).await;
    assert_eq!(result, Err(Failure::DeadlineExceeded { attempt_sent: true }));
    assert!(start.elapsed() <= Duration::from_millis(3010));
    let seen = host.seen();
    assert_eq!(seen.len(), 4);
    assert_eq!(seen[0].remaining, Some(Duration::from_millis(750)));
    // What is left is shared by those that are left: (3000 - 750 - 100) / 3.
    assert!(seen[1].remaining.unwrap().abs_diff(Duration::from_micros(716_666)) < Duration::from_millis(5));
}

/// A host that needs longer than an equal share of the call's time, and shorter than what is called slow, is not dead.
#[tokio::test(start_paused = true)]
async fn a_host_that_is_merely_slow_is_waited_for() {
    for (budget, time) in [(3000, 990), (3000, 800), (900, 800), (250, 190)] {
        let host = Host::new(move |_| async move {
            tokio::time::sleep(Duration::from_millis(time)).await;
            Ok(200)
        });
        let settings = RetrySettings {
            attempt_min: Duration::from_millis(1000),
            ..SETTINGS
        };
        let layer = RetryLayer::new(settings, Budget::new(1.0, 1000), CLASSIFY);
        let service = layer.layer(DeadlineLayer::attempt().layer(SendLayer::default().layer(host.clone())));
        assert_eq!(
            send(&service, call(true).within(within(budget))).await,
            Ok(200),
            "{budget} {time}"
        );
        assert_eq!(host.seen().len(), 1, "{budget} {time}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_not_repeatable_gets_all() {
    let host = Host::hanging();
    let result = send(&patient(&host), call(false).within(within(3000))).await;
    assert_eq!(result, Err(Failure::DeadlineExceeded { attempt_sent: true }));
    assert_eq!(host.seen().len(), 1);
    assert_eq!(host.seen()[0].remaining, Some(Duration::from_secs(3)));
}

#[tokio::test(start_paused = true)]
async fn an_earlier_attempt_makes_the_outcome_unknown() {
    // The first attempt is sent and fails; the second is never sent, since its time is over before.
    let host = Host::answering(Err(Broken { sent: true }));
    let layer = RetryLayer::with_jitter(
        SETTINGS,
        Budget::new(1.0, 9),
        CLASSIFY,
        Counters::default(),
        |longest| longest,
    );
    let first = std::sync::atomic::AtomicBool::new(true);
    let inner = tower::service_fn({
        let first = std::sync::Arc::new(first);
        move |call: Call<()>| {
            let fails = first.swap(false, std::sync::atomic::Ordering::Relaxed);
            let host = SendLayer::default().layer(host.clone());
            async move {
                if fails {
                    return send(&host, call).await;
                }
                Err(Failure::DeadlineExceeded { attempt_sent: false })
            }
        }
    });
    let result = send(&layer.layer(inner), call(true)).await;
    assert_eq!(result, Err(Failure::DeadlineExceeded { attempt_sent: true }));
}

#[tokio::test(start_paused = true)]
async fn a_budget_of_nothing_allows_nothing() {
    let host = Host::answering(Ok(500));
    let settings = Settings {
        budget_floor: 0,
        ..lenient()
    };
    let resilience = crate::support::resilience(&settings);
    let service = resilience.layer(host.clone());
    assert_eq!(send(&service, call(true)).await, Ok(500));
    let snapshot = resilience.stats().snapshot();
    assert_eq!(
        (snapshot.attempts, snapshot.retries, snapshot.retries_refused),
        (1, 0, 1)
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Hosts that fail, crawl and hang in any order.
    #[test]
    fn no_call_outlives_its_deadline(
        script in prop::collection::vec((0_u64..2000, 0_u8..5), 1..8),
        budget in 1_u64..4000,
        repeatable in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async move {
            let host = Host::new(move |count| {
                let (time, kind) = script[count as usize % script.len()];
                async move {
                    tokio::time::sleep(Duration::from_millis(time)).await;
                    match kind {
                        0 => Ok(200),
                        1 => Ok(500),
                        2 => Err(Broken { sent: false }),
                        3 => Err(Broken { sent: true }),
                        _ => std::future::pending().await,
                    }
                }
            });
            let start = Instant::now();
            let own = Duration::from_secs(3);
            let given = Duration::from_millis(budget);
            let _ = send(&stack(&lenient(), &host), call(repeatable).within(Deadline::after(given))).await;
            // The clock of the timers has a granularity of one millisecond.
            assert!(start.elapsed() <= own.min(given) + Duration::from_millis(2));
            for seen in host.seen() {
                assert!(seen.at - start < given && seen.remaining.unwrap() <= given);
            }
        });
    }
}
