//! Initialisation: all parts at once, each tried again until it succeeds.

use std::sync::Arc;
use std::time::Duration;

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
        let started = Instant::now();
        for part in &self.parts {
            self.status.waits_for(part.name, "not tried yet");
        }
        let (required, optional): (Vec<_>, Vec<_>) = self.parts.iter().partition(|part| part.required);
        let required = async {
            let times = join_all(required.into_iter().map(|part| self.initialise(part, started))).await;
            self.status.start();
            log(&times, started.elapsed());
        };
        futures::join!(
            required,
            join_all(optional.into_iter().map(|part| self.initialise(part, started)))
        );
    }

    async fn initialise(&self, part: &Part, started: Instant) -> (&'static str, Duration) {
        let mut backoff = Backoff::new(FIRST, LONGEST);
        let mut last = String::new();
        loop {
            let reason = match timeout(DEADLINE, (part.init)()).await {
                Ok(Ok(())) => break,
                Ok(Err(error)) => format!("{error:#}"),
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
        let elapsed = started.elapsed();
        self.status.has(part.name);
        gauge!(names::PART_STARTED, "part" => part.name).set(elapsed.as_secs_f64());
        (part.name, elapsed)
    }
}

/// One line that says what the start waited for.
fn log(times: &[(&'static str, Duration)], total: Duration) {
    let mut times = times.to_vec();
    times.sort_by_key(|(_, elapsed)| std::cmp::Reverse(*elapsed));
    let parts: Vec<_> = times
        .iter()
        .map(|(name, elapsed)| format!("{name} {} ms", elapsed.as_millis()))
        .collect();
    tracing::info!(milliseconds = total.as_millis(), parts = parts.join(", "), "started");
}
