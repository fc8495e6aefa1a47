//! What is repeated, how often, and what is not.

use std::time::{Duration, Instant};

use axum::http::{Method, StatusCode};
use axum::response::IntoResponse;
use futures::StreamExt;
use nova_service::{CallError, Problem};
use nova_testkit::{Fault, FaultProxy, free_port};

use super::{Host, calls, client, ended, until};

const EVERY_SECOND: Fault = Fault::Errors { ratio_percent: 50 };

#[tokio::test(flavor = "multi_thread")]
async fn idempotent_calls_outlive_a_fault_that_passes() {
    let host = Host::start().await;
    let proxy = FaultProxy::start(host.address).await;
    let config = calls(|config| {
        config.retry_max = 10;
        config.timeout = Duration::from_secs(10);
    });
    let client = client(proxy.address(), &config);
    for fault in [
        Fault::Reset,
        Fault::Errors { ratio_percent: 100 },
        Fault::Hang,
        Fault::HeadersOnly,
    ] {
        for call in [
            client.get("/"),
            client.put("/"),
            client.delete("/"),
            client.post("/").idempotency_key("key"),
        ] {
            proxy.set(fault).await;
            proxy.reset_counts();
            let passing = async {
                until(|| proxy.requests() > 0).await;
                proxy.set(Fault::None).await;
            };
            let (answer, ()) = tokio::join!(ended(call), passing);
            assert_eq!(answer.unwrap().status, StatusCode::OK, "{fault:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_post_is_sent_once_and_one_with_a_key_again() {
    let host = Host::start().await;
    let proxy = FaultProxy::start(host.address).await;
    let client = client(
        proxy.address(),
        &calls(|config| config.timeout = Duration::from_millis(500)),
    );
    for fault in [
        Fault::Reset,
        Fault::Hang,
        Fault::HeadersOnly,
        Fault::Errors { ratio_percent: 100 },
    ] {
        proxy.set(fault).await;
        proxy.reset_counts();
        let result = ended(client.post("/")).await.and_then(nova_service::Answer::success);
        assert!(result.is_err(), "{fault:?}");
        assert_eq!(proxy.requests(), 1, "{fault:?}");
    }
    proxy.set(EVERY_SECOND).await;
    proxy.reset_counts();
    let post = || client.post("/").idempotency_key("key").json(&7);
    assert_eq!(ended(post()).await.unwrap().status, StatusCode::OK);
    assert_eq!(proxy.requests(), 1);
    // The second request fails, the third is its repetition.
    assert_eq!(ended(post()).await.unwrap().status, StatusCode::OK);
    assert_eq!(proxy.requests(), 3);
    let seen = host.seen.lock().unwrap();
    let last = seen.last().unwrap();
    assert_eq!((&last.method, &last.body[..]), (&Method::POST, &b"7"[..]));
    assert_eq!(last.headers.get("idempotency-key").unwrap(), "key");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_post_that_reached_nobody_is_tried_again() {
    let address = ([127, 0, 0, 1], free_port()).into();
    let config = calls(|config| {
        config.retry_max = 10;
        config.retry_delay = Duration::from_millis(200);
        config.retry_delay_max = Duration::from_secs(1);
        config.timeout = Duration::from_secs(15);
    });
    let client = client(address, &config);
    let starting = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        Host::start_at(address).await
    };
    let (answer, host) = tokio::join!(ended(client.post("/")), starting);
    assert_eq!(answer.unwrap().status, StatusCode::OK);
    assert_eq!(host.hits(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_host_sees_a_fifth_more_calls_at_most() {
    let host = Host::start().await;
    let proxy = FaultProxy::start(host.address).await;
    proxy.set(Fault::Errors { ratio_percent: 100 }).await;
    let floor = 1;
    let client = client(proxy.address(), &calls(|config| config.retry_floor = floor));
    let began = Instant::now();
    let count = 200;
    let results = futures::stream::iter(0..count)
        .map(|_| ended(client.get("/")))
        .buffer_unordered(10);
    let failed = results.filter(|result| std::future::ready(result.as_ref().is_ok_and(|answer| answer.status == 500)));
    assert_eq!(failed.count().await, count);
    let seconds = began.elapsed().as_secs() + 1;
    let most = 240 + u64::from(floor) * seconds;
    let sent = proxy.requests();
    assert!(
        sent > 200 && sent <= most,
        "{sent} requests for {count} calls, in {seconds} s"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pause_that_a_host_asks_for_is_kept() {
    let host = Host::start().await;
    let client = client(host.address, &calls(|config| config.timeout = Duration::from_secs(5)));
    host.reply(503, &[("retry-after", "1")]);
    host.reply(429, &[("retry-after", "1")]);
    assert_eq!(ended(client.get("/")).await.unwrap().status, StatusCode::OK);
    {
        let seen = host.seen.lock().unwrap();
        let pauses: Vec<_> = seen.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
        assert!(
            pauses.len() == 2 && pauses.iter().all(|pause| pause.as_millis() >= 990),
            "{pauses:?}"
        );
    }
    // One that does not fit is not waited for.
    host.reply(503, &[("retry-after", "100")]);
    assert_eq!(
        ended(client.get("/")).await.unwrap().status,
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(host.hits(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_tier_below_repeated_is_not_repeated_and_passed_up() {
    let host = Host::start().await;
    let client = client(host.address, &calls(|_| {}));
    host.reply(503, &[("nova-do-not-retry", "1")]);
    let error = ended(client.get("/")).await.unwrap().success().unwrap_err();
    assert_eq!(host.hits(), 1);
    assert!(matches!(error, CallError::Status { .. }), "{error:?}");
    let answer = Problem::from(error).into_response();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers().get("nova-do-not-retry").unwrap(), "1");
    assert!(answer.headers().contains_key("retry-after"));
}
