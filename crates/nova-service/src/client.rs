//! Calls to another service that cannot hang: within the deadline of the request that they are made for, retried within
//! a budget, refused at once while the other side is known to fail.
//!
//! One [`Client`] belongs to one service. The layers around a call are `nova-resilience`'s; here is what HTTP adds to
//! them: which methods may be repeated, what a status means, and the headers by which deadline, trace and "do not retry"
//! cross from one service to the next.

mod answer;
mod builder;
mod classify;
mod failed;
mod observe;
mod transport;

use std::sync::Arc;

use anyhow::{Context, ensure};
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, Uri};
use nova_resilience::{Resilience, Stack};
use tokio_util::sync::CancellationToken;
use tower::Layer;

pub use answer::{Answer, CallError};
pub use builder::CallBuilder;

use crate::config::CallsConfig;
use crate::service::PartState;
use classify::HttpClassify;
use observe::Observed;
use transport::Transport;

/// Calls to one service. Cloning is cheap; all clones share connections, breaker and budget.
#[derive(Clone, Debug)]
pub struct Client {
    base: Arc<str>,
    stack: Stack<Transport, HttpClassify>,
    observed: Observed,
}

/// A request as each attempt sends it.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Client {
    /// Calls to `dependency`, which answers at `base_url`, such as `http://127.0.0.1:8084`. Nothing is connected yet.
    ///
    /// # Errors
    /// When the address is not one of plain HTTP, or the settings for it make no sense together.
    pub fn new(dependency: &'static str, base_url: &str, config: &CallsConfig) -> anyhow::Result<Self> {
        let address: Uri = base_url
            .parse()
            .with_context(|| format!("`{base_url}` is no address of {dependency}"))?;
        ensure!(
            address.scheme_str() == Some("http") && address.authority().is_some(),
            "`{base_url}` is no address of {dependency} over plain HTTP; write it like http://127.0.0.1:8084"
        );
        let config = config.of(dependency)?;
        let resilience = Resilience::new(&config.settings(), HttpClassify)
            .with_context(|| format!("settings of calls to {dependency}"))?;
        Ok(Self {
            base: base_url.trim_end_matches('/').into(),
            stack: resilience.layer(Transport::new(&config)),
            observed: Observed::new(dependency, config, resilience.stats()),
        })
    }

    /// The service that is called.
    pub fn dependency(&self) -> &'static str {
        self.observed.dependency()
    }

    /// A read.
    pub fn get(&self, path: &str) -> CallBuilder<'_> {
        self.request(Method::GET, path)
    }

    /// A replacement: idempotent.
    pub fn put(&self, path: &str) -> CallBuilder<'_> {
        self.request(Method::PUT, path)
    }

    /// A removal: idempotent.
    pub fn delete(&self, path: &str) -> CallBuilder<'_> {
        self.request(Method::DELETE, path)
    }

    /// Anything else: sent twice only with an idempotency key, or when the first attempt certainly never left.
    pub fn post(&self, path: &str) -> CallBuilder<'_> {
        self.request(Method::POST, path)
    }

    fn request(&self, method: Method, path: &str) -> CallBuilder<'_> {
        CallBuilder::new(self, method, format!("{}{path}", self.base))
    }

    /// The settings in force, and the overrides for all services that they were made from.
    pub(crate) fn config(&self) -> &CallsConfig {
        self.observed.config()
    }

    /// Whether the two share connections, breaker and budget.
    pub(crate) fn is_clone_of(&self, other: &Self) -> bool {
        self.observed.is(&other.observed)
    }

    /// Whether calls pass, for readiness.
    pub(crate) fn state(&self) -> &PartState {
        self.observed.state()
    }

    /// Publishes the settings in force and what happened to the calls so far.
    pub(crate) fn measure(&self) {
        self.observed.publish();
    }

    /// Keeps the state, until `stop`.
    pub(crate) async fn watch(self, stop: CancellationToken) {
        stop.run_until_cancelled(self.observed.keep_state()).await;
    }
}
