//! All layers of one host in their order.

use tower::Layer;

use crate::{
    Breaker, BreakerLayer, BreakerService, BreakerSettings, Budget, Bulkhead, BulkheadLayer, BulkheadService, Counters,
    DeadlineLayer, DeadlineService, RetryLayer, RetryService, RetrySettings, SendLayer, SendService, Settings,
    SettingsError, Stats,
};

/// The layers of one host: what it makes of different services shares one breaker, one bulkhead and one budget.
#[derive(Clone, Debug)]
pub struct Resilience<C> {
    total: DeadlineLayer,
    retry: RetryLayer<C>,
    breaker: BreakerLayer<C>,
    bulkhead: BulkheadLayer,
    attempt: DeadlineLayer,
    send: SendLayer,
    stats: Stats,
}

/// What [`Resilience`] makes of a service.
pub type Stack<S, C> =
    DeadlineService<RetryService<BreakerService<BulkheadService<DeadlineService<SendService<S>>>, C>, C>>;

impl<C: Clone> Resilience<C> {
    /// The layers for one host.
    ///
    /// # Errors
    /// Settings that make no sense.
    pub fn new(settings: &Settings, classify: C) -> Result<Self, SettingsError> {
        settings.validate()?;
        let stats = Stats {
            counters: Counters::default(),
            breaker: Breaker::new(breaker_settings(settings)),
            bulkhead: Bulkhead::new(settings.limit, settings.pool_wait),
        };
        let counters = &stats.counters;
        let budget = Budget::new(settings.budget_ratio, settings.budget_floor);
        Ok(Self {
            total: DeadlineLayer::total(settings.timeout).counting(counters.clone()),
            retry: RetryLayer::counted(retry_settings(settings), budget, classify.clone(), counters.clone()),
            breaker: BreakerLayer::new(stats.breaker.clone(), classify)
                .patience(settings.patience())
                .counting(counters.clone()),
            bulkhead: BulkheadLayer::new(stats.bulkhead.clone()).counting(counters.clone()),
            attempt: DeadlineLayer::attempt(),
            send: SendLayer::new(counters.clone()),
            stats,
        })
    }

    /// What the layers count.
    pub fn stats(&self) -> Stats {
        self.stats.clone()
    }
}

impl<S, C: Clone> Layer<S> for Resilience<C> {
    type Service = Stack<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        let attempt = self.attempt.layer(self.send.layer(inner));
        let guarded = self.breaker.layer(self.bulkhead.layer(attempt));
        self.total.layer(self.retry.layer(guarded))
    }
}

fn retry_settings(settings: &Settings) -> RetrySettings {
    RetrySettings {
        max: settings.retry_max,
        delay: settings.retry_delay,
        delay_max: settings.retry_delay_max,
        // A call that is not even slow yet is no reason to begin another one.
        attempt_min: settings.breaker_slow_call,
    }
}

fn breaker_settings(settings: &Settings) -> BreakerSettings {
    BreakerSettings {
        window: settings.breaker_window,
        minimum_calls: settings.breaker_minimum_calls,
        failure_ratio: settings.breaker_failure_ratio,
        slow_call: settings.breaker_slow_call,
        slow_ratio: settings.breaker_slow_ratio,
        open: settings.breaker_open,
        probes: settings.breaker_probes,
        probe_timeout: settings.breaker_probe_timeout,
    }
}
