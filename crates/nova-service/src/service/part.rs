//! The state of a part that a service depends on.

use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;

/// A part that is down; routes that need it answer 503 `dependency_unavailable`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{part} is unavailable")]
pub struct Unavailable {
    part: &'static str,
}

impl Unavailable {
    /// Names the part that is down.
    pub const fn new(part: &'static str) -> Self {
        Self { part }
    }

    /// The part that is down.
    pub fn part(self) -> &'static str {
        self.part
    }
}

/// Whether a part can be used, shared between the task that watches it and the requests that need it.
#[derive(Clone, Debug)]
pub struct PartState {
    name: &'static str,
    /// Why it is down; `None` while it is up.
    down: Arc<Mutex<Option<String>>>,
}

impl PartState {
    /// A part that has not been reached yet.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            down: Arc::new(Mutex::new(Some("not connected yet".to_owned()))),
        }
    }

    /// A part that nothing is known against.
    pub(crate) fn up(name: &'static str) -> Self {
        let this = Self::new(name);
        this.lock().take();
        this
    }

    /// The part's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Fails while the part is down.
    pub fn check(&self) -> Result<(), Unavailable> {
        if self.lock().is_none() {
            Ok(())
        } else {
            Err(Unavailable::new(self.name))
        }
    }

    /// Why the part is down, for readiness and logs.
    pub fn reason(&self) -> Option<String> {
        self.lock().clone()
    }

    /// Notes that the part works.
    pub fn set_up(&self) {
        let before = self.lock().take();
        if before.is_some() {
            tracing::info!(part = self.name, "part is up");
        }
        self.gauge(1.0);
    }

    /// Notes that the part does not work, and why.
    pub fn set_down(&self, reason: &str) {
        let before = self.lock().replace(reason.to_owned());
        if before.as_deref() != Some(reason) {
            tracing::warn!(part = self.name, reason, "part is down");
        }
        self.gauge(0.0);
    }

    fn gauge(&self, value: f64) {
        metrics::gauge!(crate::telemetry::names::PART_UP, "part" => self.name).set(value);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        // The value is whole at every moment, whoever panicked.
        self.down.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
