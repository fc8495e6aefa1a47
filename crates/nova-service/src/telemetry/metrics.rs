//! Prometheus metrics: one recorder a process, rendered on demand.

use std::sync::OnceLock;
use std::time::Duration;

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::names;

static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();

/// The recorder keeps each sample of a histogram until its upkeep puts it into its bucket.
const UPKEEP_EVERY: Duration = Duration::from_secs(1);

/// Seconds, from a look-up to the longest request.
const BUCKETS: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Installs the recorder, once.
pub(super) fn install() {
    HANDLE.get_or_init(|| {
        let builder = PrometheusBuilder::new();
        let builder = builder
            .set_buckets_for_metric(Matcher::Suffix("_duration_seconds".to_owned()), BUCKETS)
            .unwrap_or_else(|_| PrometheusBuilder::new());
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        // Someone else's recorder would only mean that these metrics go there.
        let _ = metrics::set_global_recorder(recorder);
        describe();
        handle
    });
}

/// Keeps the memory of the recorder bounded, whether somebody reads the metrics or not, until `stop`.
pub(crate) async fn upkeep(stop: CancellationToken) {
    let mut ticks = interval(UPKEEP_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        if let Some(handle) = HANDLE.get() {
            handle.run_upkeep();
        }
    }
}

/// All metrics as text.
pub(crate) fn render() -> String {
    if let Some(bytes) = resident() {
        gauge!(names::MEMORY).set(bytes);
    }
    HANDLE
        .get()
        .map(|handle| {
            handle.run_upkeep();
            handle.render()
        })
        .unwrap_or_default()
}

/// Resident memory as the kernel counts it.
fn resident() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024.0)
}

fn describe() {
    describe_histogram!(
        names::HTTP_DURATION,
        Unit::Seconds,
        "Duration of a request by method, route and status"
    );
    describe_gauge!(names::HTTP_ACTIVE, "Requests in flight");
    describe_counter!(names::HTTP_SHED, "Requests refused because too many were in flight");
    describe_gauge!(names::HTTP_CONNECTIONS, "Open client connections");
    describe_counter!(
        names::HTTP_CONNECTIONS_REFUSED,
        "Connections closed at once because their client has as many as it may"
    );
    describe_histogram!(
        names::HTTP_CLIENT_DURATION,
        Unit::Seconds,
        "Duration of a call to another service, all attempts together, by method and outcome"
    );
    describe_counter!(names::HTTP_CLIENT_ATTEMPTS, "Attempts sent to another service");
    describe_counter!(names::HTTP_CLIENT_RETRIES, "Attempts after the first of a call");
    describe_counter!(
        names::HTTP_CLIENT_REJECTED,
        "What was not sent: calls for an open breaker or a full bulkhead, retries for their budget"
    );
    describe_gauge!(
        names::HTTP_CLIENT_POOL,
        "Attempts in flight to another service, and those that wait for their place"
    );
    describe_gauge!(
        names::HTTP_CLIENT_POOL_MAX,
        "The most attempts in flight to another service"
    );
    describe_gauge!(
        names::BREAKER_STATE,
        "What a circuit breaker does: 0 closed, 1 half-open, 2 open"
    );
    describe_counter!(names::BREAKER_OPENED, "How often a circuit breaker opened");
    describe_histogram!(
        names::DB_DURATION,
        Unit::Seconds,
        "Duration of a statement by its first word"
    );
    describe_gauge!(names::DB_CONNECTIONS, "Connections of a pool by state");
    describe_gauge!(names::DB_CONNECTIONS_MAX, "The largest number of connections of a pool");
    describe_counter!(
        names::CONSUMER_EVENTS,
        "What became of events: applied, stale, unknown, dead, parked, redriven, redrive_failed"
    );
    describe_counter!(
        names::CONSUMER_FAILURES,
        "Batches that a consumer could not apply, by kind"
    );
    describe_gauge!(names::CONSUMER_LAG, "Records that a consumer has still to read");
    describe_gauge!(
        names::CONSUMER_LAG_SECONDS,
        Unit::Seconds,
        "How old the record is that a consumer is at, while there are more"
    );
    describe_gauge!(
        names::CONSUMER_BLOCKED,
        "Whether a partition cannot go on: its consumer waits, is full or is halted"
    );
    describe_gauge!(names::CONSUMER_DEAD_LETTERS, "Events of a partition that are put aside");
    describe_gauge!(names::PART_UP, "Whether a part can be used");
    describe_gauge!(names::PART_STARTED, "How long a part's initialisation took");
    describe_gauge!(
        names::SETTING,
        "The settings in force that are numbers; durations in seconds"
    );
    describe_gauge!(names::MEMORY, Unit::Bytes, "Resident memory of the process");
}
