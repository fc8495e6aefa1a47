//! The fault in force and the counts, under one lock: a request is counted under the fault that it meets.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::{Counts, Fault};

/// What happens to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Forward,
    Hang,
    Slow(Duration),
    Reset,
    Error,
    HeadersOnly,
}

#[derive(Debug)]
pub(super) struct State {
    /// `host:port`.
    pub(super) upstream: String,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    fault: Fault,
    since: Instant,
    /// Grows by the ratio with each request; at 100 one fails.
    due_percent: u8,
    counts: Vec<(Fault, Counts)>,
}

impl State {
    pub(super) fn new(upstream: String) -> Self {
        let inner = Inner {
            fault: Fault::None,
            since: Instant::now(),
            due_percent: 0,
            counts: Vec::new(),
        };
        Self {
            upstream,
            inner: Mutex::new(inner),
        }
    }

    pub(super) fn set(&self, fault: Fault) {
        let mut inner = self.lock();
        (inner.fault, inner.since, inner.due_percent) = (fault, Instant::now(), 0);
    }

    /// Counts a connection.
    pub(super) fn connected(&self) {
        self.lock().counts().connections += 1;
    }

    /// Counts a request, and says what happens to it.
    pub(super) fn arrived(&self) -> Effect {
        let mut inner = self.lock();
        inner.counts().requests += 1;
        if let Fault::Errors { ratio_percent } = inner.fault {
            inner.due_percent += ratio_percent.min(100);
            if inner.due_percent >= 100 {
                inner.due_percent -= 100;
                return Effect::Error;
            }
        }
        inner.effect()
    }

    /// What happens to an answer that comes now to a request that was forwarded.
    pub(super) fn returned(&self) -> Effect {
        match self.lock().effect() {
            effect @ (Effect::Hang | Effect::Reset) => effect,
            _ => Effect::Forward,
        }
    }

    pub(super) fn total(&self) -> Counts {
        self.lock()
            .counts
            .iter()
            .fold(Counts::default(), |sum, (_, one)| Counts {
                requests: sum.requests + one.requests,
                connections: sum.connections + one.connections,
            })
    }

    pub(super) fn under(&self, fault: Fault) -> Counts {
        let inner = self.lock();
        let found = inner.counts.iter().find(|(under, _)| *under == fault);
        found.map_or_else(Counts::default, |(_, counts)| *counts)
    }

    pub(super) fn reset_counts(&self) {
        self.lock().counts.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn counts(&mut self) -> &mut Counts {
        let fault = self.fault;
        let index = self.counts.iter().position(|(under, _)| *under == fault);
        let index = index.unwrap_or_else(|| {
            self.counts.push((fault, Counts::default()));
            self.counts.len() - 1
        });
        &mut self.counts[index].1
    }

    fn effect(&self) -> Effect {
        match self.fault {
            Fault::None | Fault::Errors { .. } => Effect::Forward,
            // Connections that are open when the hole opens stay so, and nothing comes back on them.
            Fault::Hang | Fault::BlackHole => Effect::Hang,
            Fault::Slow(delay) => Effect::Slow(delay),
            Fault::Reset => Effect::Reset,
            Fault::HeadersOnly => Effect::HeadersOnly,
            Fault::Flap(every) => {
                let changes = self.since.elapsed().as_nanos() / every.as_nanos().max(1);
                match changes % 4 {
                    1 => Effect::Reset,
                    3 => Effect::Hang,
                    _ => Effect::Forward,
                }
            }
        }
    }
}
