//! Requests at a steady rate.

use std::fmt;
use std::time::Duration;

use reqwest::RequestBuilder;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// What became of the requests.
pub(crate) struct Measured {
    latencies: Vec<Duration>,
    failed: usize,
}

/// Sends requests at this rate for so long. A request's time runs from when it was due, so that a stall is not hidden.
pub(crate) async fn run(request: impl Fn() -> RequestBuilder, rate: u32, seconds: Duration) -> Measured {
    let interval = Duration::from_secs(1) / rate.max(1);
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    let mut due = started;
    while due < started + seconds {
        sleep_until(due).await;
        let (request, sent) = (request(), due);
        tasks.spawn(async move {
            let complete = match request.send().await {
                Ok(answer) => answer.status().is_success() && answer.bytes().await.is_ok(),
                Err(_) => false,
            };
            complete.then(|| sent.elapsed())
        });
        due += interval;
    }
    let answers = tasks.join_all().await;
    let failed = answers.iter().filter(|answer| answer.is_none()).count();
    let mut latencies: Vec<_> = answers.into_iter().flatten().collect();
    latencies.sort();
    Measured { latencies, failed }
}

impl Measured {
    fn percentile(&self, percent: usize) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let latency = self.latencies.get((self.latencies.len() * percent / 100).min(last));
        latency.map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e3)
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>8}{:>8}", self.latencies.len() + self.failed, self.failed)?;
        [50, 95, 99, 100]
            .iter()
            .try_for_each(|percent| write!(f, "{:>10.2}", self.percentile(*percent)))
    }
}
