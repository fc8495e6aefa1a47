//! A service in the test's own process, on free ports.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use nova_service::config::{Network, ServerConfig};
use nova_service::{Listeners, Running, Service};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

const DEADLINE: Duration = Duration::from_secs(30);

/// A running service and a client for it.
#[derive(Debug)]
pub struct TestService {
    running: Option<Running>,
    api: SocketAddr,
    operations: SocketAddr,
    stop: CancellationToken,
    /// For requests; it neither follows redirects nor uses a proxy.
    pub client: reqwest::Client,
}

/// Settings of a server in a test: any port, no delay when draining.
pub fn server_config() -> ServerConfig {
    ServerConfig {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        operations_listen: None,
        log_format: None,
        log_filter: "info".to_owned(),
        otlp_endpoint: None,
        request_timeout: Duration::from_secs(10),
        header_timeout: Duration::from_secs(15),
        max_body_bytes: 65536,
        max_header_bytes: 16384,
        max_headers: 100,
        max_in_flight: 512,
        max_unfinished_per_client: 64,
        max_connections: 1024,
        max_connections_per_client: 1024,
        // As the gateway on one machine.
        trusted_proxies: ["127.0.0.0/8", "::1/128"].map(network).into(),
        trusted_hops: 1,
        trusted_peers: Vec::new(),
        cors_origins: Vec::new(),
        drain_delay: Duration::ZERO,
        drain_timeout: Duration::from_secs(25),
    }
}

fn network(text: &str) -> Network {
    text.parse().expect("a network in CIDR notation")
}

impl TestService {
    /// Starts a service and waits until its initialisation is over.
    pub async fn start(service: Service) -> Self {
        let this = Self::start_unready(service).await;
        this.until("/health/startup", |status, _| status == StatusCode::OK)
            .await;
        this
    }

    /// Starts a service and does not wait for its parts.
    pub async fn start_unready(service: Service) -> Self {
        let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let api = bind().await.expect("no free port on 127.0.0.1");
        let operations = bind().await.expect("no free port on 127.0.0.1");
        let stop = CancellationToken::new();
        let running = service
            .serve(Listeners { api, operations }, stop.clone())
            .await
            .expect("the service does not start");
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(DEADLINE)
            .build();
        Self {
            api: running.api(),
            operations: running.operations(),
            running: Some(running),
            stop,
            client: client.expect("a client can be made"),
        }
    }

    /// The address of a path of the API.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.api)
    }

    /// The socket of the API, for tests below HTTP.
    pub fn address(&self) -> SocketAddr {
        self.api
    }

    /// Asks the operations port.
    pub async fn operations(&self, path: &str) -> Response {
        let url = format!("http://{}{path}", self.operations);
        self.client
            .get(url)
            .send()
            .await
            .expect("the operations port does not answer")
    }

    /// Asks the operations port until the answer is as wanted.
    pub async fn until(&self, path: &str, wanted: impl Fn(StatusCode, &str) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let response = self.operations(path).await;
            let status = response.status();
            let text = response.text().await.unwrap_or_default();
            if wanted(status, &text) {
                return;
            }
            assert!(Instant::now() < deadline, "{path} still answers {status} {text}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until exactly these parts, in the order of their names, are degraded: readiness names each of them and a
    /// reason, `nova_part_up` is 0 for each of them and 1 for all others. The service is live all the time.
    ///
    /// Metrics are one set a process, so no other service may run in the test's.
    pub async fn until_degraded(&self, parts: &[&str]) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let live = self.operations("/health/live").await.status();
            assert_eq!(live, StatusCode::OK, "not live");
            let ready = self.operations("/health/ready").await.text().await.unwrap_or_default();
            let metrics = self.operations("/metrics").await.text().await.unwrap_or_default();
            let ready: Value = serde_json::from_str(&ready).unwrap_or_else(|error| panic!("{error} in {ready}"));
            let explained = |part: &&str| ready["reasons"][part].as_str().is_some_and(|reason| !reason.is_empty());
            let down = parts_down(&metrics);
            if ready["degraded"] == json!(parts) && parts.iter().all(explained) && down == parts {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "not {parts:?}: readiness says {ready}, the metric {down:?}"
            );
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Tells the service to end, as SIGTERM does, without waiting for it.
    pub fn drain(&self) {
        self.stop.cancel();
    }

    /// Waits until the service has ended, after telling it to.
    pub async fn stop(mut self) {
        self.stop.cancel();
        if let Some(running) = self.running.take() {
            let ended = timeout(DEADLINE, running.finished())
                .await
                .expect("the service did not end");
            ended.expect("the service ended by an error");
        }
    }
}

/// The parts of which the metric says that they are down, in the order of their names.
fn parts_down(metrics: &str) -> Vec<&str> {
    let lines = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("nova_part_up{part=\""));
    let mut parts: Vec<_> = lines.filter_map(|line| line.strip_suffix("\"} 0")).collect();
    parts.sort_unstable();
    parts
}

impl Drop for TestService {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
