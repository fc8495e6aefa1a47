//! From the first request to the last: serving, then draining when told to stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use futures::future::join_all;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Task;
use super::gate::Gate;
use super::init::Initialisation;
use super::listen::{Limits, Listeners, serve};
use super::probes::{self, Status};
use crate::Postgres;
use crate::config::ServerConfig;

/// What is left after the requests have ended may take this long each: background tasks, connections, probes.
const LAST: Duration = Duration::from_secs(1);

/// A service that was started.
#[derive(Debug)]
pub struct Running {
    api: SocketAddr,
    operations: SocketAddr,
    life: JoinHandle<()>,
}

impl Running {
    pub(super) fn new(api: SocketAddr, operations: SocketAddr, life: JoinHandle<()>) -> Self {
        Self { api, operations, life }
    }

    /// Where the API listens.
    pub fn api(&self) -> SocketAddr {
        self.api
    }

    /// Where probes and metrics listen.
    pub fn operations(&self) -> SocketAddr {
        self.operations
    }

    /// Waits until the service has drained.
    pub async fn finished(self) -> anyhow::Result<()> {
        self.life.await.context("the service ended unexpectedly")
    }
}

/// The tasks beside the requests.
pub(super) struct Background {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Background {
    pub(super) fn start(tasks: Vec<(&'static str, Task)>, initialisation: Initialisation) -> Self {
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        for (name, task) in tasks {
            let (running, stopping) = (task(stop.clone()), stop.clone());
            tracker.spawn(async move {
                let handle = tokio::spawn(running);
                if let Err(error) = handle.await {
                    tracing::error!(task = name, %error, "background task ended by a panic");
                } else if !stopping.is_cancelled() {
                    tracing::warn!(task = name, "background task ended early");
                }
            });
        }
        let stopping = stop.clone();
        tracker.spawn(async move { stopping.run_until_cancelled(initialisation.run()).await });
        Self { tracker, stop }
    }

    async fn end(self) {
        self.stop.cancel();
        self.tracker.close();
        if timeout(LAST, self.tracker.wait()).await.is_err() {
            tracing::warn!(tasks = self.tracker.len(), "background tasks did not end in time");
        }
    }
}

/// Everything that must be ended in order.
pub(super) struct Life {
    pub(super) config: ServerConfig,
    pub(super) gate: Arc<Gate>,
    pub(super) status: Arc<Status>,
    pub(super) background: Background,
    pub(super) databases: Vec<Postgres>,
    pub(super) stop: CancellationToken,
}

impl Life {
    pub(super) async fn run(self, listeners: Listeners, router: Router) {
        let (stop_api, stop_operations) = (CancellationToken::new(), CancellationToken::new());
        let probes = probes::router(self.status.clone());
        let operations = serve(
            listeners.operations,
            probes,
            Limits::operations(&self.config),
            stop_operations.clone(),
        );
        let operations = tokio::spawn(operations);
        let mut api = tokio::spawn(serve(
            listeners.api,
            router,
            Limits::api(&self.config),
            stop_api.clone(),
        ));

        self.stop.cancelled().await;
        let deadline = Instant::now() + self.config.drain_timeout;
        tracing::info!("draining");
        // Readiness first: load balancers need a moment to send new work elsewhere. Connections that are in use meanwhile end with
        // an answer that says so.
        self.status.drain();
        self.gate.leave();
        sleep(self.config.drain_delay.min(self.config.drain_timeout)).await;
        self.gate.refuse();
        stop_api.cancel();
        let work = async {
            let _ = (&mut api).await;
            self.gate.finish_writes().await;
        };
        if timeout_at(deadline, work).await.is_err() {
            tracing::warn!(
                requests = self.gate.in_flight(),
                "gave up requests that did not end in time"
            );
            api.abort();
        }
        self.background.end().await;
        let _ = timeout(LAST, join_all(self.databases.iter().map(Postgres::close))).await;
        stop_operations.cancel();
        let _ = timeout(LAST, operations).await;
        tracing::info!("drained");
    }
}
