//! Connections that were made before: which are kept and which are left.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use futures::future::join_all;
use nova_service::Client;
use nova_testkit::{Fault, FaultProxy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Barrier;
use tokio::time::timeout;

use super::{Host, calls, client, ended, until};

/// Makes so many connections and leaves them unused.
async fn warm(client: &Client, host: &Host, count: usize) {
    let before = host.hits();
    let together = join_all((0..count).map(|_| ended(client.get("/hold"))));
    let letting_go = async {
        until(|| host.hits() == before + count).await;
        host.go.add_permits(count);
    };
    let (answers, ()) = tokio::join!(together, letting_go);
    assert!(answers.into_iter().all(|answer| answer.is_ok()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_call_finds_the_process_that_took_the_place_of_a_dead_one() {
    let host = Host::start().await;
    let first = FaultProxy::start(host.address).await;
    let address = first.address();
    let client = client(address, &calls(|_| {}));
    warm(&client, &host, 5).await;
    drop(first);
    // The port is free when its tasks have ended.
    let second = loop {
        if TcpListener::bind(address).await.is_ok() {
            break FaultProxy::start_at(address, host.address).await;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(ended(client.get("/")).await.unwrap().status, StatusCode::OK);
    assert!(second.requests() > 0);
}

/// Answers once on each of so many connections, when there is a request on all of them, and then never again.
async fn answers_once(listener: TcpListener, count: usize) {
    let all = Arc::new(Barrier::new(count));
    loop {
        let all = all.clone();
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            let _ = stream.read(&mut buffer).await;
            all.wait().await;
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                .await;
            std::future::pending::<()>().await;
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_are_left_together() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let silent = tokio::spawn(answers_once(listener, 10));
    let config = calls(|config| {
        config.timeout = Duration::from_secs(4);
        config.retry_max = 3;
    });
    let client = client(address, &config);
    // More connections than a call has attempts.
    let answers = join_all((0..10).map(|_| ended(client.get("/")))).await;
    assert!(answers.into_iter().all(|answer| answer.is_ok()));
    silent.abort();
    let _ = silent.await;
    let host = Host::start_at(address).await;
    let answer = ended(client.get("/")).await;
    assert_eq!(answer.unwrap().body, "fine");
    assert_eq!(host.hits(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_goes_away_costs_no_connection_but_its_own() {
    let host = Host::start().await;
    let proxy = FaultProxy::start(host.address).await;
    let client = client(
        proxy.address(),
        &calls(|config| config.timeout = Duration::from_secs(10)),
    );
    warm(&client, &host, 4).await;
    assert_eq!(proxy.connections(), 4);
    let held = host.hits();
    let abandoned = timeout(Duration::from_millis(200), client.get("/hold").send()).await;
    assert!(abandoned.is_err());
    assert_eq!(host.hits(), held + 1);
    // One connection was in use; the three others still serve.
    let answers = join_all((0..3).map(|_| ended(client.get("/")))).await;
    assert!(answers.into_iter().all(|answer| answer.is_ok()));
    assert_eq!(proxy.connections(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn unused_connections_end_after_a_while() {
    let host = Host::start().await;
    let proxy = FaultProxy::start(host.address).await;
    proxy.set(Fault::None).await;
    let client = client(
        proxy.address(),
        &calls(|config| config.idle_timeout = Duration::from_millis(100)),
    );
    assert!(ended(client.get("/")).await.is_ok());
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(ended(client.get("/")).await.is_ok());
    assert_eq!(proxy.connections(), 2);
}
