//! Logs, metrics and traces, installed once a process.

pub mod context;
mod database;
mod logs;
mod metrics;
pub mod names;
mod traces;

pub(crate) use self::metrics::{render, upkeep};

use anyhow::Context;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::config::ServerConfig;

/// Keeps telemetry alive; sends what is left when it is dropped.
#[derive(Debug)]
#[must_use = "traces stop when this is dropped"]
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
}

/// Installs telemetry for the whole process. Must be called inside the runtime.
pub fn install(service: &'static str, config: &ServerConfig) -> anyhow::Result<Telemetry> {
    let filter: EnvFilter = config
        .log_filter
        .parse()
        .with_context(|| format!("NOVA_LOG: `{}` is not a filter", config.log_filter))?;
    let traces = config
        .otlp_endpoint
        .as_deref()
        .map(|endpoint| traces::provider(service, endpoint))
        .transpose()?;
    tracing_subscriber::registry()
        .with(logs::layer(config.log_format).with_filter(filter))
        .with(database::layer())
        .with(traces.as_ref().map(|provider| traces::layer(service, provider)))
        .try_init()
        .context("telemetry was installed before")?;
    metrics::install();
    std::panic::set_hook(Box::new(logs::panic));
    Ok(Telemetry { traces })
}

/// Installs the metrics alone, for services that a test starts in its own process.
pub(crate) fn install_metrics() {
    metrics::install();
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(traces) = &self.traces {
            // Bounded, and late enough that nobody could act on a failure.
            let _ = traces.shutdown_with_timeout(std::time::Duration::from_secs(2));
        }
    }
}
