//! A host that fails is left alone, and found again; a host that is full is not waited for.

use std::time::Duration;

use axum::http::StatusCode;
use nova_service::CallError;
use nova_testkit::{Fault, FaultProxy};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::{Host, PATIENCE, calls, client, ended, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_host_is_left_alone_until_it_is_back() {
    let host = Host::start().await;
    let proxy = FaultProxy::start(host.address).await;
    let config = calls(|config| {
        config.timeout = Duration::from_millis(400);
        config.retry_max = 0;
        config.breaker_minimum_calls = 5;
        config.breaker_open = Duration::from_secs(3);
    });
    let client = client(proxy.address(), &config);
    proxy.set(Fault::Hang).await;
    for _ in 0..5 {
        let result = ended(client.get("/")).await;
        assert!(matches!(result, Err(CallError::DeadlineExceeded { .. })), "{result:?}");
    }
    let sent = proxy.requests();
    for _ in 0..10 {
        let result = ended(client.get("/")).await;
        assert!(matches!(result, Err(CallError::Open { .. })), "{result:?}");
    }
    assert_eq!(proxy.requests(), sent);

    proxy.set(Fault::None).await;
    let back = async {
        while client.get("/").send().await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, back).await.expect("the breaker stays open");
    for _ in 0..10 {
        assert_eq!(ended(client.get("/")).await.unwrap().status, StatusCode::OK);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_with_tiny_deadlines_do_not_open_it_for_others() {
    let service = super::crossing::slow_service().await;
    let config = calls(|config| {
        config.retry_max = 0;
        config.breaker_minimum_calls = 5;
    });
    let client = client(service.address(), &config);
    for _ in 0..30 {
        // Some of these end here, and others by a 504 of the other side.
        let hurried = client.get("/slow").timeout(Duration::from_millis(30));
        assert!(ended(hurried).await.and_then(nova_service::Answer::success).is_err());
    }
    assert_eq!(ended(client.get("/fast")).await.unwrap().status, StatusCode::OK);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_host_refuses_at_once_and_serves_the_others() {
    let host = Host::start().await;
    let config = calls(|config| {
        config.timeout = PATIENCE;
        config.pool_wait = PATIENCE / 2;
        config.retry_max = 0;
    });
    let client = client(host.address, &config);
    let mut running = JoinSet::new();
    for _ in 0..120 {
        let client = client.clone();
        running.spawn(async move { client.get("/hold").send().await });
    }
    // 50 are in flight and 50 wait, none of which ends before it is let go.
    for _ in 0..20 {
        let ended = timeout(PATIENCE / 4, running.join_next())
            .await
            .expect("nobody is refused");
        let result = ended.unwrap().unwrap();
        assert!(matches!(result, Err(CallError::Full { .. })), "{result:?}");
    }
    until(|| host.hits() == 50).await;
    host.go.add_permits(100);
    while let Some(result) = running.join_next().await {
        assert_eq!(result.unwrap().unwrap().status, StatusCode::OK);
    }
    assert_eq!(host.hits(), 100);
}
