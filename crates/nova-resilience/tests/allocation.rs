//! A successful call through all layers allocates nothing.

use std::future::{Ready, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use nova_resilience::{Call, Resilience, Settings};
use tower::{Layer, Service};

use crate::support::{Broken, CLASSIFY};

#[derive(Clone)]
struct Instant;

impl Service<Call<()>> for Instant {
    type Response = u16;
    type Error = Broken;
    type Future = Ready<Result<u16, Broken>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Call<()>) -> Self::Future {
        ready(Ok(200))
    }
}

#[test]
fn a_successful_call_allocates_nothing() {
    let mut service = Resilience::new(&Settings::default(), CLASSIFY).unwrap().layer(Instant);
    let mut succeeded = 0;
    let info = allocation_counter::measure(|| {
        for _ in 0..1000 {
            let call = pin!(service.call(Call::new(()).repeatable(true)));
            let answer = call.poll(&mut Context::from_waker(Waker::noop()));
            succeeded += u32::from(answer == Poll::Ready(Ok(200)));
        }
    });
    assert_eq!(succeeded, 1000);
    assert_eq!(info.count_total, 0);
}

#[tokio::test]
async fn nor_does_one_that_waits_for_its_answer() {
    let host = tower::service_fn(|_: Call<()>| async {
        tokio::task::yield_now().await;
        Ok::<_, Broken>(200_u16)
    });
    let mut service = Resilience::new(&Settings::default(), CLASSIFY).unwrap().layer(host);
    // The runtime's own queues grow with the first.
    assert_eq!(service.call(Call::new(())).await, Ok(200));
    let mut own = 0;
    for _ in 0..100 {
        let mut call = pin!(service.call(Call::new(()).repeatable(true)));
        std::future::poll_fn(|context| {
            let mut poll = Poll::Pending;
            own += allocation_counter::measure(|| poll = call.as_mut().poll(context)).count_total;
            poll
        })
        .await
        .unwrap();
    }
    // Waking a task that yielded is the runtime's matter, which may grow its queue of them.
    assert!(own <= 1, "{own} allocations in 100 calls");
}
