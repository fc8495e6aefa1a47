//! What is seen of calls from outside: metrics of each call, of the layers around them, and the settings in force.

use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::Method;
use metrics::{counter, gauge, histogram};
use nova_resilience::{BreakerState, Failure, Stats};

use super::answer::Answer;
use super::failed::TransportError;
use crate::config::CallsConfig;
use crate::service::PartState;
use crate::telemetry::names;

/// How often the state follows the calls.
const EVERY: Duration = Duration::from_millis(250);
/// A dependency that failed and was not called since is judged by nobody: another member may have made the call instead that
/// would have gone well.
const FORGOTTEN: Duration = Duration::from_secs(60);
/// So many calls that fail one after another, and a dependency is down, however seldom it is called.
const IN_A_ROW: u32 = 3;

/// One dependency as metrics and readiness show it. Cloning is cheap.
#[derive(Clone, Debug)]
pub(super) struct Observed(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    dependency: &'static str,
    config: CallsConfig,
    stats: Stats,
    state: PartState,
    /// Calls that failed since the last that did not.
    failed: AtomicU32,
    /// When the last call ended, however it did.
    called_at: Mutex<Option<Instant>>,
}

impl Observed {
    pub(super) fn new(dependency: &'static str, config: CallsConfig, stats: Stats) -> Self {
        Self(Arc::new(Inner {
            dependency,
            config,
            stats,
            // Nothing speaks against it before the first call.
            state: PartState::up(dependency),
            failed: AtomicU32::new(0),
            called_at: Mutex::new(None),
        }))
    }

    pub(super) fn dependency(&self) -> &'static str {
        self.0.dependency
    }

    pub(super) fn config(&self) -> &CallsConfig {
        &self.0.config
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(super) fn state(&self) -> &PartState {
        &self.0.state
    }

    /// Times a call, all its attempts together.
    pub(super) async fn call(
        &self,
        method: &Method,
        call: impl Future<Output = Result<Answer, Failure<TransportError>>>,
    ) -> Result<Answer, Failure<TransportError>> {
        let started = Instant::now();
        let result = call.await;
        let outcome = match &result {
            Ok(answer) => answer.status.as_str().to_owned(),
            Err(failure) => word(failure).to_owned(),
        };
        histogram!(names::HTTP_CLIENT_DURATION, "dependency" => self.0.dependency,
            "http_request_method" => method.as_str().to_owned(), "outcome" => outcome)
        .record(started.elapsed().as_secs_f64());
        self.note(&result, started.elapsed());
        result
    }

    /// Nothing can be concluded from a call that was not sent, nor from one whose caller gave it hardly any time.
    fn note(&self, result: &Result<Answer, Failure<TransportError>>, elapsed: Duration) {
        *self.0.called_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        let failed = match result {
            Ok(answer) => answer.status.is_server_error(),
            Err(Failure::Open { .. } | Failure::Full) => return,
            Err(Failure::Transport(TransportError::TooLarge)) => false,
            Err(Failure::Transport(_)) => true,
            Err(Failure::DeadlineExceeded { .. }) if elapsed < self.0.config.settings().patience() => return,
            Err(Failure::DeadlineExceeded { .. }) => true,
        };
        if failed {
            let count = |failed: u32| Some(failed.saturating_add(1));
            let _ = self.0.failed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count);
        } else {
            self.0.failed.store(0, Ordering::Relaxed);
        }
    }

    fn follow(&self) {
        let called_at = *self.0.called_at.lock().unwrap_or_else(PoisonError::into_inner);
        let silent = called_at.map(|at| at.elapsed());
        let failed = self.0.failed.load(Ordering::Relaxed);
        match judge(self.0.stats.snapshot().breaker, failed, silent) {
            Some(Ok(())) => self.0.state.set_up(),
            Some(Err(why)) => self.0.state.set_down(why),
            None => {}
        }
    }

    pub(super) async fn keep_state(&self) {
        loop {
            self.follow();
            tokio::time::sleep(EVERY).await;
        }
    }

    pub(super) fn publish(&self) {
        let Inner {
            dependency,
            config,
            stats,
            ..
        } = &*self.0;
        let dependency = *dependency;
        let now = stats.snapshot();
        for (name, value) in config.numbers() {
            gauge!(names::SETTING, "name" => name, "dependency" => dependency).set(value);
        }
        let breaker = match now.breaker {
            BreakerState::Closed => 0.0,
            BreakerState::HalfOpen => 1.0,
            BreakerState::Open => 2.0,
        };
        gauge!(names::BREAKER_STATE, "dependency" => dependency).set(breaker);
        counter!(names::BREAKER_OPENED, "dependency" => dependency).absolute(now.opened);
        counter!(names::HTTP_CLIENT_ATTEMPTS, "dependency" => dependency).absolute(now.attempts);
        counter!(names::HTTP_CLIENT_RETRIES, "dependency" => dependency).absolute(now.retries);
        for (reason, count) in [
            ("breaker_open", now.rejected_open),
            ("bulkhead_full", now.rejected_full),
            ("retry_budget", now.retries_refused),
        ] {
            counter!(names::HTTP_CLIENT_REJECTED, "dependency" => dependency, "reason" => reason).absolute(count);
        }
        for (state, count) in [("used", now.in_flight), ("waiting", now.waiting)] {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            gauge!(names::HTTP_CLIENT_POOL, "dependency" => dependency, "state" => state).set(f64::from(count));
        }
        gauge!(names::HTTP_CLIENT_POOL_MAX, "dependency" => dependency).set(f64::from(config.pool_size));
    }
}

/// Down with an open breaker, or after some failures in a row: a service that calls seldom has no breaker that opens.
/// Up after any call that went well, and when the last call is long ago. In between, as after one failure, it stays what it was.
fn judge(breaker: BreakerState, failed: u32, silent: Option<Duration>) -> Option<Result<(), &'static str>> {
    match breaker {
        _ if silent.is_some_and(|silent| silent >= FORGOTTEN) => Some(Ok(())),
        BreakerState::Open => Some(Err(
            "its calls fail or are slow, so they are refused for a while (breaker open)",
        )),
        _ if failed >= IN_A_ROW => Some(Err("its calls fail")),
        _ if failed == 0 => Some(Ok(())),
        _ => None,
    }
}

fn word(failure: &Failure<TransportError>) -> &'static str {
    match failure {
        Failure::DeadlineExceeded { .. } => "deadline_exceeded",
        Failure::Open { .. } => "breaker_open",
        Failure::Full => "bulkhead_full",
        Failure::Transport(TransportError::Connect(_)) => "connect",
        Failure::Transport(TransportError::Lost(_)) => "lost",
        Failure::Transport(TransportError::TooLarge) => "too_large",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nova_resilience::BreakerState::{Closed, HalfOpen, Open};

    use super::judge;

    #[test]
    fn what_failed_is_down_until_a_call_goes_well_or_it_is_forgotten() {
        let just_now = Some(Duration::from_secs(1));
        assert_eq!(judge(Closed, 0, None), Some(Ok(())));
        assert_eq!(judge(Closed, 1, just_now), None);
        assert_eq!(judge(Closed, 3, just_now), Some(Err("its calls fail")));
        assert!(judge(Open, 3, just_now).is_some_and(|judged| judged.is_err()));
        assert_eq!(judge(HalfOpen, 0, just_now), Some(Ok(())));
        // Nobody called since: neither the failures nor the breaker, which only a call half-opens, say anything of now.
        let long_ago = Some(Duration::from_secs(60));
        assert_eq!(judge(Closed, 3, long_ago), Some(Ok(())));
        assert_eq!(judge(Open, 3, long_ago), Some(Ok(())));
    }
}
