//! The deadline that a caller states (`nova-timeout-ms`): it only ever shortens, and what it cuts off is told truthfully.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::routing::{get, post};
use nova_service::Service;
use nova_service::config::ServerConfig;
use nova_service::telemetry::context::deadline;
use nova_testkit::{TestService, server_config};
use reqwest::header::HeaderValue;
use reqwest::{RequestBuilder, StatusCode};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};
use utoipa_axum::router::OpenApiRouter;

use crate::support::problem;

const OWN: Duration = Duration::from_secs(8);
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone)]
struct Work {
    begun: Arc<AtomicUsize>,
    done: Arc<AtomicUsize>,
    go: Arc<Semaphore>,
}

/// Milliseconds that the handler has.
async fn left(State(work): State<Work>) -> String {
    work.begun.fetch_add(1, Ordering::Relaxed);
    deadline().unwrap().remaining().as_millis().to_string()
}

async fn held(State(work): State<Work>) -> &'static str {
    work.begun.fetch_add(1, Ordering::Relaxed);
    work.go.acquire().await.unwrap().forget();
    work.done.fetch_add(1, Ordering::Relaxed);
    "done"
}

async fn start(max_in_flight: u32) -> (TestService, Work) {
    let work = Work {
        begun: Arc::default(),
        done: Arc::default(),
        go: Arc::new(Semaphore::new(0)),
    };
    let routes = OpenApiRouter::new()
        .route("/left", get(left).post(left))
        .route("/held", get(held))
        .route("/write", post(held))
        .with_state(work.clone());
    let config = ServerConfig {
        request_timeout: OWN,
        max_in_flight,
        ..server_config()
    };
    (
        TestService::start(Service::new("worker", "1", config).routes(routes)).await,
        work,
    )
}

fn stating(mut request: RequestBuilder, stated: &[&[u8]]) -> RequestBuilder {
    for stated in stated {
        request = request.header("nova-timeout-ms", HeaderValue::from_bytes(stated).unwrap());
    }
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_stated_gives_more_than_the_service_allows() {
    let (service, _) = start(10).await;
    let own = OWN.as_millis();
    let cases: [(&[&[u8]], u128); 16] = [
        (&[], own),
        (&[b""], own),
        (&[b"soon"], own),
        (&[b"-1"], own),
        (&[b"+5"], own),
        (&[b"1.5"], own),
        (&[b"5s"], own),
        (&[b"0x10"], own),
        (&[b"1e3"], own),
        (&[b"99999999999999999999"], own),
        (&[b"9999999"], own),
        (&[b"\xff\xfe"], own),
        // An Arabic three.
        (&["٣".as_bytes()], own),
        // The shortest of several, in whatever order.
        (&[b"6000", b"5000"], 5000),
        (&[b"5000", b"6000"], 5000),
        (&[b"nonsense", b"5000"], 5000),
    ];
    for (stated, most) in cases {
        for request in [
            service.client.get(service.url("/left")),
            service.client.post(service.url("/left")),
        ] {
            let answer = stating(request, stated).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK, "{stated:?}");
            let left: u128 = answer.text().await.unwrap().parse().unwrap();
            // What is malformed does not shorten either.
            assert!(
                left <= most && left > most / 2,
                "{left} ms left of {most} for {stated:?}"
            );
        }
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_time_is_refused_before_work_begins() {
    let (service, work) = start(10).await;
    let stated: [&[&[u8]]; 3] = [&[b"0"], &[b"0000000"], &[b"5000", b"0"]];
    for stated in stated {
        for request in [
            service.client.get(service.url("/left")),
            service.client.post(service.url("/write")),
        ] {
            let answer = stating(request, stated).send().await.unwrap();
            problem(answer, 504, "deadline_exceeded").await;
        }
    }
    assert_eq!(work.begun.load(Ordering::Relaxed), 0);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn little_time_cuts_off_a_read_and_not_a_write() {
    let (service, work) = start(10).await;
    let began = Instant::now();
    let read = stating(service.client.get(service.url("/held")), &[b"150"]);
    problem(read.send().await.unwrap(), 504, "timeout").await;
    assert!(began.elapsed() >= Duration::from_millis(150) && began.elapsed() < OWN / 2);

    let write = stating(service.client.post(service.url("/write")), &[b"150"]);
    problem(write.send().await.unwrap(), 504, "outcome_unknown").await;
    assert_eq!(
        (work.begun.load(Ordering::Relaxed), work.done.load(Ordering::Relaxed)),
        (2, 0)
    );
    work.go.add_permits(1);
    let done = async {
        while work.done.load(Ordering::Relaxed) == 0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, done).await.expect("the write was cut off");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_nobody_waits_for_keeps_its_place() {
    let (service, work) = start(1).await;
    let write = || stating(service.client.post(service.url("/write")), &[b"150"]);
    problem(write().send().await.unwrap(), 504, "outcome_unknown").await;
    // Otherwise such callers could begin any number of writes.
    for _ in 0..3 {
        let refused = write().send().await.unwrap();
        assert!(refused.headers().contains_key("retry-after"));
        problem(refused, 503, "overloaded").await;
    }
    assert_eq!(work.begun.load(Ordering::Relaxed), 1);
    for probe in ["/health/live", "/health/ready", "/health/startup", "/metrics"] {
        assert_eq!(service.operations(probe).await.status(), StatusCode::OK, "{probe}");
    }
    work.go.add_permits(1);
    let freed = async {
        while service.client.get(service.url("/left")).send().await.unwrap().status() != StatusCode::OK {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, freed).await.expect("the place is not given back");
    service.stop().await;
}
