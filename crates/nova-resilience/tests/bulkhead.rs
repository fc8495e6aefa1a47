//! Never more than the limit in flight, a bounded queue, an immediate refusal.

use std::time::Duration;

use nova_resilience::{Bulkhead, BulkheadLayer, Call, Deadline, Failure, SendLayer};
use tokio::time::Instant;
use tower::Layer;

use crate::support::{Host, send};

const WAIT: Duration = Duration::from_millis(100);

#[tokio::test(start_paused = true)]
async fn a_full_queue_is_refused_at_once_and_a_long_wait_after_its_bound() {
    let bulkhead = Bulkhead::new(2, WAIT);
    let service = BulkheadLayer::new(bulkhead.clone()).layer(SendLayer::default().layer(Host::hanging()));
    let start = Instant::now();
    let calls: Vec<_> = (0..4)
        .map(|_| {
            let service = service.clone();
            tokio::spawn(async move { send(&service, Call::new(())).await })
        })
        .collect();
    tokio::task::yield_now().await;
    assert_eq!((bulkhead.in_flight(), bulkhead.waiting()), (2, 2));
    assert_eq!(send(&service, Call::new(())).await, Err(Failure::Full));
    assert_eq!(start.elapsed(), Duration::ZERO);
    let mut calls = calls.into_iter();
    let running: Vec<_> = calls.by_ref().take(2).collect();
    for waiting in calls {
        assert_eq!(waiting.await.unwrap(), Err(Failure::Full));
    }
    assert!(start.elapsed() >= WAIT && start.elapsed() < 2 * WAIT);
    assert_eq!((bulkhead.in_flight(), bulkhead.waiting()), (2, 0));
    running.into_iter().for_each(|call| call.abort());
    tokio::task::yield_now().await;
    assert_eq!(bulkhead.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_place_that_comes_free_goes_to_who_waits() {
    let bulkhead = Bulkhead::new(1, WAIT);
    let host = Host::new(|_| async {
        tokio::time::sleep(Duration::from_millis(60)).await;
        Ok(200)
    });
    let service = BulkheadLayer::new(bulkhead.clone()).layer(SendLayer::default().layer(host));
    let (first, second) = tokio::join!(send(&service, Call::new(())), send(&service, Call::new(())));
    assert_eq!((first, second), (Ok(200), Ok(200)));
    assert_eq!((bulkhead.in_flight(), bulkhead.waiting()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_past_the_deadline() {
    let service = BulkheadLayer::new(Bulkhead::new(1, WAIT)).layer(SendLayer::default().layer(Host::hanging()));
    let running = tokio::spawn({
        let service = service.clone();
        async move { send(&service, Call::new(())).await }
    });
    tokio::task::yield_now().await;
    let call = Call::new(()).within(Deadline::after(Duration::from_millis(30)));
    assert_eq!(
        send(&service, call).await,
        Err(Failure::DeadlineExceeded { attempt_sent: false })
    );
    running.abort();
}
