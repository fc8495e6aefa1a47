//! What a client may send and how long it may take.

use std::time::Duration;

use nova_service::config::{PostgresConfig, ServerConfig};
use nova_testkit::{Postgres, TestService, server_config};
use reqwest::StatusCode;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{problem, shop};

const PATIENCE: Duration = Duration::from_secs(20);

/// A database whose timeouts are inside those of the requests.
fn within(time: Duration, database: PostgresConfig) -> PostgresConfig {
    PostgresConfig {
        acquire_timeout: time,
        statement_timeout: time,
        ..database
    }
}

/// Sends bytes as they are and returns everything that comes back until the service closes.
async fn raw(shop: &TestService, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(shop.address()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answer))
        .await
        .expect("the service keeps the connection open")
        .unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_too_large() {
    let database = Postgres::shared().await.database("shop").await;
    let shop = TestService::start(shop(server_config(), &database.config()).0).await;
    let fits = shop
        .client
        .post(shop.url("/notes"))
        .json(&json!({ "text": "x".repeat(60_000) }))
        .send()
        .await
        .unwrap();
    assert_eq!(fits.status(), StatusCode::CREATED);
    let announced = shop
        .client
        .post(shop.url("/notes"))
        .json(&json!({ "text": "x".repeat(70_000) }))
        .send()
        .await
        .unwrap();
    problem(announced, 413, "body_too_large").await;
    // Without a length, in chunks.
    let chunk = format!("{:x}\r\n{}\r\n", 35_000, "x".repeat(35_000));
    let head = "POST /notes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    let answer = raw(&shop, format!("{head}{chunk}{chunk}0\r\n\r\n").as_bytes()).await;
    assert!(
        answer.starts_with("HTTP/1.1 413") && answer.contains("body_too_large"),
        "{answer}"
    );
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_are_too_many_or_too_large() {
    let database = Postgres::shared().await.database("shop").await;
    let shop = TestService::start(shop(server_config(), &database.config()).0).await;
    let many: String = (0..150).map(|number| format!("x-{number}: 1\r\n")).collect();
    let answer = raw(
        &shop,
        format!("GET /plain HTTP/1.1\r\nHost: x\r\n{many}\r\n").as_bytes(),
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    let large = format!(
        "GET /plain HTTP/1.1\r\nHost: x\r\nx-large: {}\r\n\r\n",
        "x".repeat(20_000)
    );
    let answer = raw(&shop, large.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_never_finish() {
    let config = ServerConfig {
        header_timeout: Duration::from_millis(300),
        request_timeout: Duration::from_millis(300),
        ..server_config()
    };
    let database = Postgres::shared().await.database("shop").await;
    let database = within(Duration::from_millis(200), database.config());
    let shop = TestService::start(shop(config, &database).0).await;
    // A header that does not end, and one that never begins: the connection is closed.
    assert_eq!(raw(&shop, b"GET /plain HTTP/1.1\r\nHost: x\r\n").await, "");
    assert_eq!(raw(&shop, b"").await, "");
    let head = "POST /notes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\nConnection: close\r\n\r\n{";
    let answer = raw(&shop, head.as_bytes()).await;
    assert!(
        answer.starts_with("HTTP/1.1 408") && answer.contains("request_timeout"),
        "{answer}"
    );
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_takes_too_long_is_cancelled_and_a_write_is_not() {
    let config = ServerConfig {
        request_timeout: Duration::from_secs(2),
        ..server_config()
    };
    let database = Postgres::shared().await.database("shop").await;
    let (service, held) = shop(config, &within(Duration::from_millis(1900), database.config()));
    let shop = TestService::start(service).await;
    problem(shop.client.get(shop.url("/wait")).send().await.unwrap(), 504, "timeout").await;

    problem(
        shop.client.post(shop.url("/write-slowly")).send().await.unwrap(),
        504,
        "outcome_unknown",
    )
    .await;
    held.go.notify_one();
    // The drain waits for the write that nobody waits for.
    shop.stop().await;
    let notes: i64 = sqlx::query_scalar("select count(*) from notes")
        .fetch_one(&database.app())
        .await
        .unwrap();
    assert_eq!(notes, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_does_not_cancel_its_write() {
    let database = Postgres::shared().await.database("shop").await;
    let (service, held) = shop(server_config(), &database.config());
    let shop = TestService::start(service).await;
    let mut stream = TcpStream::connect(shop.address()).await.unwrap();
    stream
        .write_all(b"POST /write-slowly HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        .await
        .unwrap();
    held.arrived.notified().await;
    drop(stream);
    shop.drain();
    held.go.notify_one();
    shop.stop().await;
    let notes: i64 = sqlx::query_scalar("select count(*) from notes")
        .fetch_one(&database.app())
        .await
        .unwrap();
    assert_eq!(notes, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests_at_once_are_refused_and_probes_are_answered() {
    let config = ServerConfig {
        max_in_flight: 2,
        ..server_config()
    };
    let database = Postgres::shared().await.database("shop").await;
    let (service, held) = shop(config, &database.config());
    let shop = TestService::start(service).await;
    let wait = || tokio::spawn(shop.client.get(shop.url("/wait")).send());
    let (first, second) = (wait(), wait());
    held.arrived.notified().await;
    // `notify_one` keeps one permit at most, so the second arrival is seen by the refusal.
    let refused = loop {
        let response = shop.client.get(shop.url("/plain")).send().await.unwrap();
        if response.status() != StatusCode::OK {
            break response;
        }
    };
    let after: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=2).contains(&after), "{after}");
    problem(refused, 503, "overloaded").await;
    for probe in ["/health/live", "/health/ready", "/health/startup", "/metrics"] {
        assert_eq!(shop.operations(probe).await.status(), StatusCode::OK, "{probe}");
    }
    // Both are let go before either is awaited: which of them goes first is not known, and at most one may not wait yet.
    held.go.notify_one();
    held.go.notify_one();
    for request in [first, second] {
        assert_eq!(request.await.unwrap().unwrap().status(), StatusCode::OK);
    }
    assert_eq!(
        shop.client.get(shop.url("/plain")).send().await.unwrap().status(),
        StatusCode::OK
    );
    shop.stop().await;
}

/// Begins requests whose bodies never come, and waits until the service has seen them.
async fn unfinished(shop: &TestService, count: usize) -> Vec<TcpStream> {
    let head = b"POST /notes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    let mut streams = Vec::new();
    for _ in 0..count {
        let mut stream = TcpStream::connect(shop.address()).await.unwrap();
        stream.write_all(head).await.unwrap();
        streams.push(stream);
    }
    shop.until("/metrics", |_, text| {
        let open = text
            .lines()
            .find_map(|line| line.strip_prefix("http_server_open_connections{listener=\"api\"} "));
        open.and_then(|open| open.parse::<usize>().ok())
            .is_some_and(|open| open >= count)
    })
    .await;
    streams
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_never_come_keep_nobody_out() {
    let config = ServerConfig {
        max_in_flight: 8,
        max_unfinished_per_client: 1000,
        ..server_config()
    };
    let database = Postgres::shared().await.database("shop").await;
    let shop = TestService::start(shop(config, &database.config()).0).await;
    let streams = unfinished(&shop, 100).await;
    for _ in 0..20 {
        let read = shop.client.get(shop.url("/plain")).send().await.unwrap();
        assert_eq!(read.status(), StatusCode::OK);
        let write = shop
            .client
            .post(shop.url("/notes"))
            .json(&json!({ "text": "in between" }));
        assert_eq!(write.send().await.unwrap().status(), StatusCode::CREATED);
    }
    drop(streams);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_client_has_a_few_unfinished_requests_and_the_others_theirs() {
    let config = ServerConfig {
        max_unfinished_per_client: 3,
        ..server_config()
    };
    let database = Postgres::shared().await.database("shop").await;
    let shop = TestService::start(shop(config, &database.config()).0).await;
    let begin = async |client: &str| {
        let mut stream = TcpStream::connect(shop.address()).await.unwrap();
        let head = format!(
            "POST /notes HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {client}\r\nContent-Type: application/json\r\n\
             Content-Length: 16\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    };
    let end = async |mut stream: TcpStream| {
        let mut answer = String::new();
        // Refused already, it may be closed under this.
        let _ = stream.write_all(b"{\"text\": \"late\"}").await;
        let _ = timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap();
        answer
    };
    // Of one /64, which is one client.
    let mine = [
        begin("2001:db8::1").await,
        begin("2001:db8::2").await,
        begin("2001:db8::3").await,
    ];
    let refused = loop {
        let mut fourth = begin("2001:db8::4").await;
        let mut answer = [0; 12];
        // The three may not have been looked at yet: then this one is among them, and waits.
        if timeout(Duration::from_millis(200), fourth.read_exact(&mut answer))
            .await
            .is_ok()
        {
            break String::from_utf8(answer.into()).unwrap();
        }
    };
    assert_eq!(refused, "HTTP/1.1 429");
    let other = end(begin("2001:db8:0:1::1").await).await;
    assert!(other.starts_with("HTTP/1.1 201"), "{other}");
    let finished = futures::future::join_all(mine.map(end)).await;
    assert!(
        finished
            .iter()
            .filter(|answer| answer.starts_with("HTTP/1.1 201"))
            .count()
            >= 2,
        "{finished:?}"
    );
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_stranger_has_a_share_of_the_connections() {
    let config = ServerConfig {
        max_connections_per_client: 5,
        trusted_proxies: Vec::new(),
        ..server_config()
    };
    let service = nova_service::Service::new("small", "1", config);
    let small = TestService::start(service).await;
    let mut open = Vec::new();
    for _ in 0..5 {
        let mut stream = TcpStream::connect(small.address()).await.unwrap();
        // Answered, so it was admitted.
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 404");
        open.push(stream);
    }
    let closed = timeout(PATIENCE, async {
        let mut sixth = TcpStream::connect(small.address()).await.unwrap();
        sixth.read(&mut [0; 1]).await.unwrap_or_default()
    });
    assert_eq!(closed.await.unwrap(), 0);
    // One of the five goes, another one may come.
    open.pop();
    timeout(PATIENCE, async {
        loop {
            let mut again = TcpStream::connect(small.address()).await.unwrap();
            let _ = again.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
            if again.read(&mut [0; 1]).await.unwrap_or_default() == 1 {
                break;
            }
        }
    })
    .await
    .unwrap();
    small.stop().await;
}
