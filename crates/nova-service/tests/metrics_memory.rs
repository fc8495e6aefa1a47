//! Metrics that nobody reads cost bounded memory.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::Ipv4Addr;
use std::time::Duration;

use nova_service::{Listeners, Service};
use nova_testkit::server_config;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const ROUNDS: u64 = 40;
const SAMPLES: u32 = 100_000;
/// What is kept of all samples is 160 MB and more.
const MOST_GROWTH: u64 = 40_000_000;

/// The clock stands still but while everybody waits, so each round's sleep lets whatever is due every second run.
#[tokio::test(start_paused = true)]
async fn samples_are_not_kept_until_somebody_reads_the_metrics() {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let listeners = Listeners {
        api: bind().await.unwrap(),
        operations: bind().await.unwrap(),
    };
    let stop = CancellationToken::new();
    let service = Service::new("quiet", "1", server_config());
    let running = service.serve(listeners, stop.clone()).await.unwrap();

    let samples = metrics::histogram!("http_server_request_duration_seconds", "http_route" => "/quiet");
    let record = || (0..SAMPLES).for_each(|number| samples.record(f64::from(number) / 1e5));
    record();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let before = resident();
    for _ in 0..ROUNDS {
        record();
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    let growth = resident().saturating_sub(before);
    let all = ROUNDS * u64::from(SAMPLES);
    assert!(growth < MOST_GROWTH, "{growth} bytes more after {all} samples");
    stop.cancel();
    running.finished().await.unwrap();
}

/// Resident memory in bytes, as the kernel counts it.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kilobytes: u64 = line.trim().strip_suffix("kB").unwrap().trim().parse().unwrap();
    kilobytes * 1024
}
