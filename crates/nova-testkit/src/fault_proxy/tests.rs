//! Each fault as a client meets it, on new connections and on those that were open before.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::any;
use reqwest::{Client, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};

use super::state::{Effect, State};
use super::{Counts, Fault, FaultProxy};

/// What must come comes within this.
const DEADLINE: Duration = Duration::from_secs(10);
/// What must not come has not come within this.
const SILENCE: Duration = Duration::from_millis(300);
const REQUEST: &[u8] = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nping";

/// A server that echoes bodies, and a proxy before it.
struct Fixture {
    proxy: FaultProxy,
    seen: Arc<AtomicU64>,
    client: Client,
}

impl Fixture {
    async fn new() -> Self {
        let seen = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&seen);
        let echo = any(async move |body: String| {
            counter.fetch_add(1, Ordering::SeqCst);
            body
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(echo)).await });
        let proxy = FaultProxy::start(upstream).await;
        let client = Client::builder().no_proxy().timeout(DEADLINE).build().unwrap();
        Self { proxy, seen, client }
    }

    async fn post(&self) -> reqwest::Result<StatusCode> {
        let response = self.client.post(self.proxy.url()).body("ping").send().await?;
        let status = response.status();
        let body = response.text().await?;
        assert!(!status.is_success() || body == "ping", "{body:?}");
        Ok(status)
    }

    /// A connection that has carried one request.
    async fn open(&self) -> TcpStream {
        let mut stream = TcpStream::connect(self.proxy.address()).await.unwrap();
        stream.write_all(REQUEST).await.unwrap();
        read_to(&mut stream, "\r\n\r\nping").await.unwrap();
        stream
    }

    /// A connection that was open when the fault began.
    async fn open_before(&self, fault: Fault) -> TcpStream {
        let mut stream = self.open().await;
        self.proxy.set(fault).await;
        stream.write_all(REQUEST).await.unwrap();
        stream
    }

    fn seen(&self) -> u64 {
        self.seen.load(Ordering::SeqCst)
    }

    async fn until_requests(&self, count: u64) {
        let deadline = Instant::now() + DEADLINE;
        while self.proxy.requests() < count {
            assert!(Instant::now() < deadline, "the proxy did not read the request");
            sleep(Duration::from_millis(2)).await;
        }
    }
}

async fn read_to(stream: &mut TcpStream, end: &str) -> std::io::Result<String> {
    let read = async {
        let mut text = Vec::new();
        while !text.ends_with(end.as_bytes()) {
            text.push(stream.read_u8().await?);
        }
        Ok(String::from_utf8_lossy(&text).into_owned())
    };
    timeout(DEADLINE, read).await.expect("no answer")
}

async fn assert_silent(stream: &mut TcpStream) {
    assert!(timeout(SILENCE, stream.read_u8()).await.is_err(), "something came");
}

#[tokio::test]
async fn without_a_fault_everything_passes_and_is_counted() {
    let fixture = Fixture::new().await;
    for _ in 0..3 {
        assert_eq!(fixture.post().await.unwrap(), StatusCode::OK);
    }
    drop(fixture.open().await);
    let expected = Counts {
        requests: 4,
        connections: 2,
    };
    assert_eq!(fixture.proxy.counts_under(Fault::None), expected);
    assert_eq!((fixture.proxy.requests(), fixture.seen()), (4, 4));
    fixture.proxy.reset_counts();
    assert_eq!((fixture.proxy.requests(), fixture.proxy.connections()), (0, 0));
}

#[tokio::test]
async fn a_hanging_one_reads_and_never_answers() {
    let fixture = Fixture::new().await;
    let mut old = fixture.open_before(Fault::Hang).await;
    let mut new = TcpStream::connect(fixture.proxy.address()).await.unwrap();
    new.write_all(REQUEST).await.unwrap();
    fixture.until_requests(3).await;
    assert_silent(&mut old).await;
    assert_silent(&mut new).await;
    assert_eq!(fixture.seen(), 1);
    let expected = Counts {
        requests: 2,
        connections: 1,
    };
    assert_eq!(fixture.proxy.counts_under(Fault::Hang), expected);
    fixture.proxy.set(Fault::None).await;
    assert_eq!(fixture.post().await.unwrap(), StatusCode::OK);
    assert_silent(&mut old).await;
}

#[tokio::test]
async fn an_answer_under_way_feels_a_fault_that_begins() {
    let fixture = Fixture::new().await;
    let mut stream = fixture.open_before(Fault::Slow(SILENCE)).await;
    fixture.until_requests(2).await;
    fixture.proxy.set(Fault::Reset).await;
    let error = read_to(&mut stream, "ping").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_slow_one_answers_late() {
    let fixture = Fixture::new().await;
    let delay = Duration::from_millis(400);
    let begun = Instant::now();
    let mut old = fixture.open_before(Fault::Slow(delay)).await;
    read_to(&mut old, "\r\n\r\nping").await.unwrap();
    assert!(begun.elapsed() >= delay);
    let begun = Instant::now();
    assert_eq!(fixture.post().await.unwrap(), StatusCode::OK);
    assert!(begun.elapsed() >= delay);
}

#[tokio::test]
async fn a_reset_is_a_reset_and_not_a_close() {
    let fixture = Fixture::new().await;
    let mut old = fixture.open_before(Fault::Reset).await;
    let mut new = TcpStream::connect(fixture.proxy.address()).await.unwrap();
    new.write_all(REQUEST).await.unwrap();
    for stream in [&mut old, &mut new] {
        let error = read_to(stream, "ping").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
    assert_eq!(
        (fixture.proxy.counts_under(Fault::Reset).requests, fixture.seen()),
        (2, 1)
    );
    fixture.proxy.set(Fault::None).await;
    assert_eq!(fixture.post().await.unwrap(), StatusCode::OK);
}

#[tokio::test]
async fn errors_come_at_their_ratio_on_kept_connections() {
    let fixture = Fixture::new().await;
    for (ratio_percent, expected) in [(50, 10), (20, 4), (100, 20), (0, 0)] {
        fixture.proxy.set(Fault::Errors { ratio_percent }).await;
        let mut statuses = Vec::new();
        for _ in 0..20 {
            statuses.push(fixture.post().await.unwrap().as_u16());
        }
        let failed = statuses.iter().filter(|status| **status == 500).count();
        assert_eq!(failed, expected, "{ratio_percent}: {statuses:?}");
        if ratio_percent == 50 {
            assert_eq!(statuses[..4], [200, 500, 200, 500]);
        }
    }
    assert_eq!(
        (fixture.proxy.connections(), fixture.proxy.requests(), fixture.seen()),
        (1, 80, 46)
    );
}

#[tokio::test]
async fn a_flapping_one_answers_resets_and_hangs() {
    let fixture = Fixture::new().await;
    fixture.proxy.set(Fault::Flap(Duration::from_millis(200))).await;
    let patience = Duration::from_millis(100);
    let impatient = Client::builder().no_proxy().timeout(patience).build().unwrap();
    let deadline = Instant::now() + DEADLINE;
    let (mut answers, mut resets, mut hangs) = (0, 0, 0);
    while answers == 0 || resets == 0 || hangs == 0 {
        assert!(
            Instant::now() < deadline,
            "{answers} answers, {resets} resets, {hangs} hangs"
        );
        match impatient.get(fixture.proxy.url()).send().await {
            Ok(_) => answers += 1,
            Err(error) if error.is_timeout() => hangs += 1,
            Err(_) => resets += 1,
        }
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn flapping_changes_at_its_times() {
    let state = State::new(String::new());
    state.set(Fault::Flap(Duration::from_secs(2)));
    let mut met = Vec::new();
    for _ in 0..5 {
        sleep(Duration::from_secs(1)).await;
        met.push(state.arrived());
        sleep(Duration::from_secs(1)).await;
    }
    let expected = [
        Effect::Forward,
        Effect::Reset,
        Effect::Forward,
        Effect::Hang,
        Effect::Forward,
    ];
    assert_eq!(met, expected);
}

#[tokio::test]
async fn no_handshake_completes_in_a_black_hole_and_open_connections_go_silent() {
    let fixture = Fixture::new().await;
    for round in 0..2 {
        fixture.proxy.reset_counts();
        let mut old = fixture.open_before(Fault::BlackHole).await;
        for _ in 0..3 {
            let attempt = timeout(SILENCE, TcpStream::connect(fixture.proxy.address())).await;
            assert!(attempt.is_err(), "round {round}: {attempt:?}");
        }
        fixture.until_requests(2).await;
        assert_silent(&mut old).await;
        let expected = Counts {
            requests: 1,
            connections: 0,
        };
        assert_eq!(fixture.proxy.counts_under(Fault::BlackHole), expected);
        fixture.proxy.set(Fault::None).await;
        assert_eq!(fixture.post().await.unwrap(), StatusCode::OK);
        // The proxy's own are not among them.
        assert_eq!(fixture.proxy.connections(), if round == 0 { 2 } else { 1 });
    }
}

#[tokio::test]
async fn headers_may_come_without_their_body() {
    let fixture = Fixture::new().await;
    let mut old = fixture.open_before(Fault::HeadersOnly).await;
    let head = read_to(&mut old, "\r\n\r\n").await.unwrap().to_lowercase();
    assert!(
        head.starts_with("http/1.1 200 ") && head.contains("\r\ncontent-length: 1000\r\n"),
        "{head}"
    );
    assert_silent(&mut old).await;
    let response = fixture.client.get(fixture.proxy.url()).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(timeout(SILENCE, response.bytes()).await.is_err());
}

#[tokio::test]
async fn an_upstream_that_is_down_is_a_reset_and_may_come_up_later() {
    let port = crate::free_port();
    let proxy = FaultProxy::start(format!("127.0.0.1:{port}")).await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    stream.write_all(REQUEST).await.unwrap();
    let error = read_to(&mut stream, "ping").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);

    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(any(async || "up"))).await });
    let client = Client::builder().no_proxy().timeout(DEADLINE).build().unwrap();
    assert_eq!(
        client.get(proxy.url()).send().await.unwrap().text().await.unwrap(),
        "up"
    );
}

#[tokio::test]
async fn nothing_outlives_the_proxy() {
    let fixture = Fixture::new().await;
    let mut hanging = fixture.open_before(Fault::Hang).await;
    fixture.until_requests(2).await;
    let address = fixture.proxy.address();
    drop(fixture.proxy);
    let ended = timeout(DEADLINE, hanging.read(&mut [0; 16]))
        .await
        .expect("it was not closed");
    assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
    let deadline = Instant::now() + DEADLINE;
    while TcpStream::connect(address).await.is_ok() {
        assert!(Instant::now() < deadline, "the proxy still listens");
        sleep(Duration::from_millis(5)).await;
    }
}
