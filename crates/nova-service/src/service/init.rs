//! Initialisation: all parts at once, each tried again until it succeeds.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use metrics::gauge;
use tokio::time::{Instant, sleep, timeout};

use super::probes::Status;
use crate::backoff::Backoff;
use crate::telemetry::names;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);
/// One attempt, a long migration included.
const DEADLINE: Duration = Duration::from_secs(10 * 60);

/// Something to initialise.
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) required: bool,
    pub(super) init: Box<dyn Fn() -> BoxFuture<'static, anyhow::Result<()>> + Send + Sync>,
}

/// All of a service's parts.
pub(super) struct Initialisation {
    pub(super) parts: Vec<Part>,
    pub(super) status: Arc<Status>,
}

impl Initialisation {
    /// Ends when every part is there; the service is started as soon as the required ones are.
    pub(super) async fn run(self) {
        let began = Instant::now();
        for part in &self.parts {
            self.status.waits_for(part.name, "not tried yet");
        }
        let (required, optional): (Vec<_>, Vec<_>) = self.parts.iter().partition(|part| part.required);
        let required = async {
            let times = join_all(required.into_iter().map(|part| self.initialise(part, began))).await;
            self.status.start();
            self.log(&times, began.elapsed());
        };
        let this = &self;
        let optional = optional.into_iter().map(|part| async move {
            let (part, elapsed) = this.initialise(part, began).await;
            if this.status.started() {
                let milliseconds = elapsed.as_millis();
                tracing::info!(part, milliseconds, "optional part is ready");
            }
        });
        futures::join!(required, join_all(optional));
    }

    async fn initialise(&self, part: &Part, began: Instant) -> (&'static str, Duration) {
        let mut backoff = Backoff::new(FIRST, LONGEST);
        let mut last = String::new();
        self.gauge(part, 0.0);
        loop {
            let attempt = AssertUnwindSafe(async { (part.init)().await }).catch_unwind();
            let reason = match timeout(DEADLINE, attempt).await {
                Ok(Ok(Ok(()))) => break,
                Ok(Ok(Err(error))) => format!("{error:#}"),
                // The panic hook has logged message and place.
                Ok(Err(_)) => "ended by a panic".to_owned(),
                Err(_) => "not done in time".to_owned(),
            };
            // The same reason again and again is logged once.
            if reason != last {
                tracing::warn!(part = part.name, reason, "part cannot be initialised yet");
                self.status.waits_for(part.name, reason.clone());
                last = reason;
            }
            sleep(backoff.next_pause()).await;
        }
        let elapsed = began.elapsed();
        self.status.has(part.name);
        self.gauge(part, 1.0);
        gauge!(names::PART_STARTED, "part" => part.name).set(elapsed.as_secs_f64());
        (part.name, elapsed)
    }

    /// A part that is watched after its start has its state shown by whoever watches it.
    fn gauge(&self, part: &Part, up: f64) {
        if !self.status.watches(part.name) {
            gauge!(names::PART_UP, "part" => part.name).set(up);
        }
    }

    /// Says what the start waited for, and what it did not wait for and is still missing.
    fn log(&self, times: &[(&'static str, Duration)], total: Duration) {
        let mut rows: Vec<Row> = times
            .iter()
            .map(|(name, elapsed)| Row::new(name, true, format!("ready after {} ms", elapsed.as_millis())))
            .collect();
        for part in self.parts.iter().filter(|part| !part.required) {
            let state = self.status.lacks(part.name);
            rows.push(Row::new(part.name, false, missing(state)));
        }
        for (name, reason) in self.status.watched() {
            if !self.parts.iter().any(|part| part.name == name) {
                rows.push(Row::new(name, false, missing(reason)));
            }
        }
        let milliseconds = total.as_millis();
        tracing::info!(milliseconds, "started\n{}", table(&rows));
    }
}

fn missing(reason: Option<String>) -> String {
    reason.map_or_else(|| "ready".to_owned(), |reason| format!("missing: {reason}"))
}

/// One part as the log shows it.
struct Row {
    name: &'static str,
    required: bool,
    state: String,
}

impl Row {
    fn new(name: &'static str, required: bool, state: String) -> Self {
        Self { name, required, state }
    }
}

fn table(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or_default();
    let lines = rows.iter().map(|row| {
        let kind = if row.required { "required" } else { "optional" };
        format!("  {:width$}  {kind}  {}", row.name, row.state)
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_each_part_whether_it_is_needed_and_how_it_is() {
        let rows = [
            Row::new("database", true, "ready after 12 ms".to_owned()),
            Row::new("redis", false, missing(Some("not connected yet".to_owned()))),
            Row::new("auth-service", false, missing(None)),
        ];
        let wanted = "  database      required  ready after 12 ms\n  redis         optional  missing: not connected yet\n  auth-service  optional  ready";
        assert_eq!(table(&rows), wanted);
    }
}
