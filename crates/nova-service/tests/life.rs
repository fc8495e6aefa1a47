//! Probes, start and drain.

use std::time::Duration;

use nova_service::Service;
use nova_service::config::ServerConfig;
use nova_testkit::{Postgres, TestService, server_config};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Barrier, Semaphore};
use tokio::time::timeout;

use crate::support::{problem, shop};

const PATIENCE: Duration = Duration::from_secs(20);

async fn probe(shop: &TestService, path: &str) -> (StatusCode, Value) {
    let response = shop.operations(path).await;
    (response.status(), response.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn required_parts_hold_up_the_start_and_optional_ones_do_not() {
    let (required, optional) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let gate = |gate: Arc<Semaphore>| {
        move || {
            let gate = gate.clone();
            async move {
                gate.try_acquire()?.forget();
                Ok(())
            }
        }
    };
    let service = Service::new("parts", "1", server_config())
        .required("needed", gate(required.clone()))
        .optional("extra", gate(optional.clone()));
    let service = TestService::start_unready(service).await;
    service
        .until("/health/startup", |_, text| text.contains("no permits"))
        .await;
    let (status, body) = probe(&service, "/health/startup").await;
    assert_eq!(
        (status, &body["status"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("starting"))
    );
    assert!(body["waiting_for"]["needed"].is_string(), "{body}");
    assert_eq!(
        probe(&service, "/health/ready").await.0,
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(probe(&service, "/health/live").await.0, StatusCode::OK);
    let refused = service.client.get(service.url("/openapi.json")).send().await.unwrap();
    assert!(refused.headers().contains_key("retry-after"));
    problem(refused, 503, "starting").await;

    required.add_permits(1);
    service
        .until("/health/startup", |status, _| status == StatusCode::OK)
        .await;
    let (status, body) = probe(&service, "/health/ready").await;
    assert_eq!(
        (status, &body["status"], &body["degraded"]),
        (StatusCode::OK, &json!("degraded"), &json!(["extra"]))
    );
    let up = async |part: &str, up: &str| {
        let line = format!("nova_part_up{{part=\"{part}\"}} {up}");
        let text = service.operations("/metrics").await.text().await.unwrap();
        assert!(text.lines().any(|found| found == line), "no {line}");
    };
    up("needed", "1").await;
    up("extra", "0").await;
    optional.add_permits(1);
    service
        .until("/health/ready", |_, text| text.contains("\"ready\""))
        .await;
    up("extra", "1").await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_are_initialised_beside_each_other() {
    // Each is done only when all of them have begun: one after the other they would never end.
    let all = Arc::new(Barrier::new(3));
    let part = || {
        let all = all.clone();
        move || {
            let all = all.clone();
            async move {
                all.wait().await;
                Ok(())
            }
        }
    };
    let service = Service::new("parts", "1", server_config())
        .required("first", part())
        .required("second", part())
        .optional("third", part());
    let service = TestService::start(service).await;
    service
        .until("/health/ready", |_, text| text.contains("\"ready\""))
        .await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_panics_is_tried_again() {
    let attempts = Arc::new(AtomicUsize::new(0));
    let counting = attempts.clone();
    let service = Service::new("parts", "1", server_config()).required("shaky", move || {
        let attempt = counting.fetch_add(1, Ordering::Relaxed);
        async move {
            assert!(attempt > 1, "on purpose");
            Ok(())
        }
    });
    let service = TestService::start(service).await;
    assert_eq!(attempts.load(Ordering::Relaxed), 3);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn draining_finishes_what_was_begun_and_closes_what_is_idle() {
    let config = ServerConfig {
        drain_delay: Duration::from_millis(500),
        ..server_config()
    };
    let database = Postgres::shared().await.database("shop").await;
    let (service, held) = shop(config, &database.config());
    let shop = TestService::start(service).await;
    // A connection that is kept alive and does nothing.
    let mut idle = TcpStream::connect(shop.address()).await.unwrap();
    idle.write_all(b"GET /plain HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert!(idle.read(&mut [0; 4096]).await.unwrap() > 0);
    let begun = tokio::spawn(shop.client.get(shop.url("/wait")).send());
    held.arrived.notified().await;

    shop.drain();
    // Readiness first; new work is accepted a little longer.
    shop.until("/health/ready", |status, text| {
        status == StatusCode::SERVICE_UNAVAILABLE && text.contains("draining")
    })
    .await;
    assert_eq!(probe(&shop, "/health/live").await.0, StatusCode::OK);
    let closed = timeout(PATIENCE, idle.read(&mut [0; 4096]))
        .await
        .expect("the idle connection stays open");
    assert_eq!(closed.unwrap(), 0);
    // Now nothing new, while the old request is still at work.
    assert!(TcpStream::connect(shop.address()).await.is_err());
    assert_eq!(probe(&shop, "/health/live").await.0, StatusCode::OK);
    held.go.notify_one();
    assert_eq!(begun.await.unwrap().unwrap().text().await.unwrap(), "waited");
    shop.stop().await;
}

/// Closing a connection that is in use would meet the next request half-way.
#[tokio::test(flavor = "multi_thread")]
async fn while_it_drains_a_connection_in_use_ends_with_an_answer_that_says_so() {
    let config = ServerConfig {
        drain_delay: PATIENCE,
        drain_timeout: PATIENCE,
        ..server_config()
    };
    let database = Postgres::shared().await.database("shop").await;
    let (service, _held) = shop(config, &database.config());
    let shop = TestService::start(service).await;
    let mut used = TcpStream::connect(shop.address()).await.unwrap();
    let mut ask = async || {
        used.write_all(b"GET /plain HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut answer = vec![0; 4096];
        let length = used.read(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer[..length]).to_lowercase()
    };
    assert!(!ask().await.contains("connection: close"));
    shop.drain();
    shop.until("/health/ready", |_, text| text.contains("draining")).await;
    let mut last = String::new();
    let said = timeout(PATIENCE / 2, async {
        while !last.contains("connection: close") {
            last = ask().await;
            assert!(last.starts_with("http/1.1 200"), "{last:?}");
        }
    });
    said.await.expect("no answer said that the connection ends");
    assert_eq!(used.read(&mut [0; 16]).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn draining_gives_up_in_time() {
    let config = ServerConfig {
        drain_timeout: Duration::from_millis(300),
        ..server_config()
    };
    let database = Postgres::shared().await.database("shop").await;
    let (service, held) = shop(config, &database.config());
    let shop = TestService::start(service).await;
    let begun = tokio::spawn(shop.client.get(shop.url("/wait")).send());
    held.arrived.notified().await;
    // `stop` fails the test when this takes too long.
    shop.stop().await;
    assert!(begun.await.unwrap().is_err());
}
