//! What is seen of calls from outside: metrics of each call, of the layers around them, and the settings in force.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::Method;
use metrics::{counter, gauge, histogram};
use nova_resilience::{BreakerState, Failure, Stats};

use super::answer::Answer;
use super::transport::TransportError;
use crate::config::CallsConfig;
use crate::service::PartState;
use crate::telemetry::names;

/// How often the state follows the breaker.
const EVERY: Duration = Duration::from_millis(250);

/// One dependency as metrics and readiness show it. Cloning is cheap.
#[derive(Clone, Debug)]
pub(super) struct Observed(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    dependency: &'static str,
    config: CallsConfig,
    stats: Stats,
    state: PartState,
}

impl Observed {
    pub(super) fn new(dependency: &'static str, config: CallsConfig, stats: Stats) -> Self {
        Self(Arc::new(Inner {
            dependency,
            config,
            stats,
            // Nothing speaks against it before the first call.
            state: PartState::up(dependency),
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
        result
    }

    /// A half-open breaker tells nothing new: the state stays what it was until the breaker closes or opens again.
    fn follow(&self) {
        match self.0.stats.snapshot().breaker {
            BreakerState::Closed => self.0.state.set_up(),
            BreakerState::Open => {
                self.0
                    .state
                    .set_down("its calls fail or are slow, so they are refused for a while (breaker open)");
            }
            BreakerState::HalfOpen => {}
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
