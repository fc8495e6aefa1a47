//! The breaker's state machine under its one short lock. Time comes from outside; `sync` and `window` too, so that tests
//! compile this very file with a model checker's locks.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::sync::{Arc, Mutex};
use super::window::Window;

/// Over how many buckets the window slides.
const BUCKETS: usize = 10;

/// The numbers of a breaker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BreakerSettings {
    /// Over how long calls are judged.
    pub window: Duration,
    /// Fewer calls than this in the window never open it.
    pub minimum_calls: u32,
    /// The share of failed calls that opens it, in (0, 1].
    pub failure_ratio: f64,
    /// A call that takes this long is slow.
    pub slow_call: Duration,
    /// The share of slow calls that opens it, in (0, 1].
    pub slow_ratio: f64,
    /// How long it stays open.
    pub open: Duration,
    /// How many probes may be in flight when half open, and how many must succeed to close.
    pub probes: u32,
    /// How long a probe may take.
    pub probe_timeout: Duration,
}

/// What a breaker does with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// Calls pass and are judged.
    Closed,
    /// A few calls pass to find out whether the host is back.
    HalfOpen,
    /// Calls are refused.
    Open,
}

/// How a call that was let through ended. Whether it was slow follows from its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The host did its work.
    Success,
    /// The host failed.
    Failure,
}

/// Which call of which generation; `probe` is its place among the probes.
#[derive(Clone, Copy, Debug)]
struct Ticket {
    generation: u64,
    probe: Option<usize>,
    started: Instant,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    calls: u32,
    failed: u32,
    slow: u32,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed,
    HalfOpen { succeeded: u32 },
    Open { until: Instant },
}

#[derive(Debug)]
struct Machine {
    settings: BreakerSettings,
    state: State,
    /// Grows with each change of state: a call that was let through before it does not count after it.
    generation: u64,
    window: Window<Counts, BUCKETS>,
    /// When each probe in flight began.
    probes: Vec<Option<Instant>>,
    opened: u64,
    /// The latest time seen; threads read the clock before they get the lock.
    now: Instant,
}

impl Machine {
    fn new(settings: BreakerSettings, now: Instant) -> Self {
        Self {
            settings,
            state: State::Closed,
            generation: 0,
            window: Window::new(settings.window / BUCKETS as u32, now),
            probes: vec![None; settings.probes as usize],
            opened: 0,
            now,
        }
    }

    /// Does what time alone does: ends a rest, and takes an overdue probe for a slow one, from when it was overdue.
    fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
        loop {
            match self.state {
                State::Closed => return,
                State::Open { until } if until <= self.now => self.enter(State::HalfOpen { succeeded: 0 }),
                State::Open { .. } => return,
                State::HalfOpen { .. } => match self.overdue() {
                    Some(when) if when <= self.now => self.open(when),
                    _ => return,
                },
            }
        }
    }

    /// When the oldest probe in flight is, or was, overdue.
    fn overdue(&self) -> Option<Instant> {
        let oldest = self.probes.iter().flatten().min()?;
        Some(*oldest + self.settings.probe_timeout)
    }

    fn open(&mut self, when: Instant) {
        self.opened += 1;
        self.enter(State::Open {
            until: when + self.settings.open,
        });
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.generation += 1;
        self.probes.fill(None);
        self.window = Window::new(self.settings.window / BUCKETS as u32, self.now);
    }

    fn admit(&mut self, now: Instant) -> Result<Ticket, Duration> {
        self.advance(now);
        let now = self.now;
        let probe = match self.state {
            State::Closed => None,
            State::Open { until } => return Err(until - now),
            State::HalfOpen { .. } => match self.probes.iter().position(Option::is_none) {
                Some(free) => {
                    self.probes[free] = Some(now);
                    Some(free)
                }
                None => return Err(self.overdue().map_or(self.settings.probe_timeout, |when| when - now)),
            },
        };
        Ok(Ticket {
            generation: self.generation,
            probe,
            started: now,
        })
    }

    fn settle(&mut self, now: Instant, ticket: Ticket, outcome: Outcome) {
        self.advance(now);
        if ticket.generation != self.generation {
            return;
        }
        let failed = outcome == Outcome::Failure;
        let slow = now.saturating_duration_since(ticket.started) >= self.settings.slow_call;
        match self.state {
            State::Closed => {
                self.window.advance(self.now);
                let counts = self.window.newest();
                counts.calls += 1;
                counts.failed += u32::from(failed);
                counts.slow += u32::from(slow);
                if self.too_bad() {
                    self.open(self.now);
                }
            }
            State::HalfOpen { .. } if failed || slow => self.open(self.now),
            State::HalfOpen { succeeded } => {
                self.release(ticket);
                if succeeded + 1 >= self.settings.probes {
                    self.enter(State::Closed);
                } else {
                    self.state = State::HalfOpen {
                        succeeded: succeeded + 1,
                    };
                }
            }
            // Nothing is let through in this generation.
            State::Open { .. } => {}
        }
    }

    fn too_bad(&self) -> bool {
        let (mut calls, mut failed, mut slow) = (0.0, 0.0, 0.0);
        for counts in self.window.recent(BUCKETS) {
            calls += f64::from(counts.calls);
            failed += f64::from(counts.failed);
            slow += f64::from(counts.slow);
        }
        calls >= f64::from(self.settings.minimum_calls)
            && (failed >= self.settings.failure_ratio * calls || slow >= self.settings.slow_ratio * calls)
    }

    fn release(&mut self, ticket: Ticket) {
        if ticket.generation == self.generation
            && let Some(probe) = ticket.probe
        {
            self.probes[probe] = None;
        }
    }
}

/// A [`Machine`] under its lock.
#[derive(Debug)]
pub(super) struct Core {
    machine: Mutex<Machine>,
}

impl Core {
    pub(super) fn new(settings: BreakerSettings, now: Instant) -> Self {
        Self {
            machine: Mutex::new(Machine::new(settings, now)),
        }
    }

    /// Lets a call through, or says after what time asking again makes sense.
    pub(super) fn admit(core: &Arc<Self>, now: Instant) -> Result<Permit, Duration> {
        let ticket = core.with(|machine| machine.admit(now))?;
        Ok(Permit {
            core: Arc::clone(core),
            ticket: Some(ticket),
        })
    }

    pub(super) fn state(&self, now: Instant) -> BreakerState {
        self.with(|machine| {
            machine.advance(now);
            match machine.state {
                State::Closed => BreakerState::Closed,
                State::HalfOpen { .. } => BreakerState::HalfOpen,
                State::Open { .. } => BreakerState::Open,
            }
        })
    }

    pub(super) fn opened(&self) -> u64 {
        self.with(|machine| machine.opened)
    }

    fn with<T>(&self, work: impl FnOnce(&mut Machine) -> T) -> T {
        work(&mut self.machine.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Leave for one call. Dropped without an outcome it counts as neither, and a probe's place is free again.
#[derive(Debug)]
#[must_use = "a permit that is dropped at once lets nothing through"]
pub struct Permit {
    core: Arc<Core>,
    ticket: Option<Ticket>,
}

impl Permit {
    /// When the call was let through.
    pub fn started(&self) -> Option<Instant> {
        self.ticket.map(|ticket| ticket.started)
    }

    /// Says how the call ended, at `now`.
    pub fn settle(mut self, now: Instant, outcome: Outcome) {
        if let Some(ticket) = self.ticket.take() {
            self.core.with(|machine| machine.settle(now, ticket, outcome));
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take().filter(|ticket| ticket.probe.is_some()) {
            self.core.with(|machine| machine.release(ticket));
        }
    }
}
