//! The process around a service: runtime, signals, exit code.

use std::future::Future;
use std::process::{self, ExitCode};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::ServerConfig;
use crate::telemetry;

/// Two workers: several members share a machine, and each has a stack and caches of its own.
const WORKERS: usize = 2;
/// After this the process ends, whatever it is doing.
const HARD_LIMIT: Duration = Duration::from_secs(30);

/// Runs a service's life to its end: telemetry, `life`, exit code. For `main`.
pub fn start(service: &'static str, config: &ServerConfig, life: impl Future<Output = anyhow::Result<()>>) -> ExitCode {
    match run(service, config, life) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Telemetry may be what failed.
            eprintln!("{service}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(
    service: &'static str,
    config: &ServerConfig,
    life: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .thread_name(service)
        .build()
        .context("cannot start the runtime")?;
    let result = runtime.block_on(async {
        let _telemetry = telemetry::install(service, config)?;
        life.await
    });
    // A blocking task that hangs must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

/// Cancels `stop` at SIGTERM or SIGINT; a second one ends the process at once.
pub(super) fn stop_on_signals(stop: CancellationToken) -> anyhow::Result<JoinHandle<()>> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    Ok(tokio::spawn(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        stop.cancel();
        // A thread, because the runtime may be what hangs.
        thread::spawn(|| {
            thread::sleep(HARD_LIMIT);
            process::exit(1);
        });
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        process::exit(1);
    }))
}
