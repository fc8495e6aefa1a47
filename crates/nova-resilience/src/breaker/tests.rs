//! The machine against a naive model of it, on simulated time.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::machine::Core;
use super::{BreakerSettings, BreakerState, Outcome, Permit};

/// Times of the model are milliseconds since the start.
type Ms = u64;

const SETTINGS: BreakerSettings = BreakerSettings {
    window: Duration::from_millis(1000),
    minimum_calls: 4,
    failure_ratio: 0.5,
    slow_call: Duration::from_millis(100),
    slow_ratio: 0.75,
    open: Duration::from_millis(200),
    probes: 2,
    probe_timeout: Duration::from_millis(150),
};

fn ms(duration: Duration) -> Ms {
    u64::try_from(duration.as_millis()).unwrap()
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Admitted {
    era: usize,
    at: Ms,
}

/// Remembers everything and looks through all of it each time.
struct Model {
    state: BreakerState,
    /// Grows with each change of state.
    era: usize,
    entered: Ms,
    /// Time, failed, slow: of the calls judged in this era.
    judged: Vec<(Ms, bool, bool)>,
    probes: Vec<Admitted>,
    opened: u64,
}

impl Model {
    fn new() -> Self {
        Self {
            state: BreakerState::Closed,
            era: 0,
            entered: 0,
            judged: Vec::new(),
            probes: Vec::new(),
            opened: 0,
        }
    }

    fn enter(&mut self, state: BreakerState, at: Ms) {
        self.state = state;
        self.era += 1;
        self.entered = at;
        self.judged.clear();
        self.probes.clear();
        self.opened += u64::from(state == BreakerState::Open);
    }

    fn tick(&mut self, now: Ms) {
        for at in self.entered..=now {
            let rested = self.entered + ms(SETTINGS.open);
            if self.state == BreakerState::Open && at >= rested {
                self.enter(BreakerState::HalfOpen, at);
            }
            let overdue = |probe: &Admitted| at >= probe.at + ms(SETTINGS.probe_timeout);
            if self.state == BreakerState::HalfOpen && self.probes.iter().any(overdue) {
                self.enter(BreakerState::Open, at);
            }
        }
    }

    fn admit(&mut self, now: Ms) -> Result<Admitted, Ms> {
        self.tick(now);
        let call = Admitted { era: self.era, at: now };
        match self.state {
            BreakerState::Closed => Ok(call),
            BreakerState::Open => Err(self.entered + ms(SETTINGS.open) - now),
            BreakerState::HalfOpen if self.probes.len() < SETTINGS.probes as usize => {
                self.probes.push(call);
                Ok(call)
            }
            BreakerState::HalfOpen => {
                let oldest = self.probes.iter().map(|probe| probe.at).min().unwrap();
                Err(oldest + ms(SETTINGS.probe_timeout) - now)
            }
        }
    }

    fn forget(&mut self, call: Admitted) {
        if call.era == self.era
            && let Some(index) = self.probes.iter().position(|probe| *probe == call)
        {
            self.probes.remove(index);
        }
    }

    fn settle(&mut self, now: Ms, call: Admitted, failed: bool) {
        self.tick(now);
        if call.era != self.era {
            return;
        }
        self.forget(call);
        let slow = now - call.at >= ms(SETTINGS.slow_call);
        self.judged.push((now, failed, slow));
        match self.state {
            BreakerState::Closed if self.too_bad(now) => self.enter(BreakerState::Open, now),
            BreakerState::HalfOpen if failed || slow => self.enter(BreakerState::Open, now),
            BreakerState::HalfOpen if self.judged.len() >= SETTINGS.probes as usize => {
                self.enter(BreakerState::Closed, now);
            }
            _ => {}
        }
    }

    fn too_bad(&self, now: Ms) -> bool {
        let bucket = |at: Ms| (at - self.entered) / (ms(SETTINGS.window) / 10);
        let recent: Vec<_> = self
            .judged
            .iter()
            .filter(|(at, ..)| bucket(*at) + 10 > bucket(now))
            .collect();
        let share = |count: usize| count as f64 / recent.len() as f64;
        recent.len() >= SETTINGS.minimum_calls as usize
            && (share(recent.iter().filter(|(_, failed, _)| *failed).count()) >= SETTINGS.failure_ratio
                || share(recent.iter().filter(|(.., slow)| *slow).count()) >= SETTINGS.slow_ratio)
    }
}

#[derive(Clone, Debug)]
enum Step {
    Wait(Ms),
    Admit,
    Settle(prop::sample::Index, bool),
    Drop(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0_u64..40).prop_map(Step::Wait),
        1 => (0_u64..1500).prop_map(Step::Wait),
        6 => Just(Step::Admit),
        4 => (any::<prop::sample::Index>(), prop::bool::weighted(0.4)).prop_map(|(call, failed)| Step::Settle(call, failed)),
        1 => any::<prop::sample::Index>().prop_map(Step::Drop),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_machine_does_what_the_model_does(steps in prop::collection::vec(step(), 1..120)) {
        let start = Instant::now();
        let core = Arc::new(Core::new(SETTINGS, start));
        let mut model = Model::new();
        let mut calls: Vec<(Permit, Admitted)> = Vec::new();
        let mut now = 0;
        for step in steps {
            let at = |now| start + Duration::from_millis(now);
            match step {
                Step::Wait(time) => now += time,
                Step::Admit => match (Core::admit(&core, at(now)), model.admit(now)) {
                    (Ok(permit), Ok(admitted)) => calls.push((permit, admitted)),
                    (Err(wait), Err(expected)) => prop_assert_eq!(ms(wait), expected),
                    (got, expected) => prop_assert!(false, "{:?}, the model says {:?}", got, expected),
                },
                Step::Settle(index, failed) if !calls.is_empty() => {
                    let (permit, admitted) = calls.swap_remove(index.index(calls.len()));
                    permit.settle(at(now), if failed { Outcome::Failure } else { Outcome::Success });
                    model.settle(now, admitted, failed);
                }
                Step::Drop(index) if !calls.is_empty() => {
                    let (permit, admitted) = calls.swap_remove(index.index(calls.len()));
                    drop(permit);
                    model.forget(admitted);
                }
                Step::Settle(..) | Step::Drop(_) => {}
            }
            model.tick(now);
            prop_assert_eq!(core.state(at(now)), model.state);
            prop_assert_eq!(core.opened(), model.opened);
            prop_assert!(model.state != BreakerState::HalfOpen || model.probes.len() <= SETTINGS.probes as usize);
        }
        // Whatever happened, a patient caller gets through.
        let later = now + ms(SETTINGS.open + SETTINGS.probe_timeout);
        prop_assert!(Core::admit(&core, start + Duration::from_millis(later)).is_ok());
    }
}
