//! Half open under a model checker: the breaker's machine is compiled here once more, with loom's locks, and run through
//! the interleavings of its callers.

#![allow(
    clippy::unwrap_used,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "a test fails by panicking; the included files serve the crate"
)]

#[path = "../src/breaker/machine.rs"]
mod machine;
#[path = "../src/window.rs"]
mod window;

mod sync {
    pub(super) use loom::sync::{Arc, Mutex};
}

use std::time::{Duration, Instant};

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use machine::{BreakerSettings, BreakerState, Core, Outcome, Permit};

const SECOND: Duration = Duration::from_secs(1);
const PROBES: u32 = 2;
/// How often threads are interrupted where they need not be: with three callers, all interleavings are too many. The
/// machine has one lock, so that two interruptions show whatever order of its operations there is.
const PREEMPTIONS: usize = 2;

const SETTINGS: BreakerSettings = BreakerSettings {
    window: Duration::from_secs(10),
    minimum_calls: 1,
    failure_ratio: 0.5,
    slow_call: Duration::from_secs(10),
    slow_ratio: 1.0,
    open: SECOND,
    probes: PROBES,
    probe_timeout: SECOND,
};

/// A breaker that is half open at the returned moment.
fn half_open(start: Instant) -> (Arc<Core>, Instant) {
    let core = Arc::new(Core::new(SETTINGS, start));
    Core::admit(&core, start).unwrap().settle(start, Outcome::Failure);
    let now = start + SECOND;
    assert_eq!(core.state(now), BreakerState::HalfOpen);
    (core, now)
}

#[derive(Clone, Copy)]
enum End {
    Drop,
    Settle(Outcome),
}

impl End {
    fn apply(self, permit: Permit, now: Instant) {
        match self {
            Self::Drop => drop(permit),
            Self::Settle(outcome) => permit.settle(now, outcome),
        }
    }
}

/// Each end is that of one caller, all at once; the callers count how many are through.
fn race(ends: [End; 3], check: impl Fn(&Arc<Core>, Instant) + Send + Sync + 'static, bounded: bool) {
    let start = Instant::now();
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(PREEMPTIONS);
    model.check(move || {
        let (core, now) = half_open(start);
        let through = Arc::new(AtomicUsize::new(0));
        let caller = |end: End| {
            let (core, through) = (Arc::clone(&core), Arc::clone(&through));
            move || {
                if let Ok(permit) = Core::admit(&core, now) {
                    let others = through.fetch_add(1, Ordering::SeqCst);
                    assert!(!bounded || others < PROBES as usize, "too many probes");
                    through.fetch_sub(1, Ordering::SeqCst);
                    end.apply(permit, now);
                }
            }
        };
        let others = [thread::spawn(caller(ends[0])), thread::spawn(caller(ends[1]))];
        caller(ends[2])();
        for other in others {
            other.join().unwrap();
        }
        check(&core, now);
    });
}

#[test]
fn never_more_than_the_probes_and_no_permit_is_lost() {
    let ends = [End::Drop, End::Drop, End::Settle(Outcome::Success)];
    race(
        ends,
        |core, now| {
            assert_eq!(core.state(now), BreakerState::HalfOpen);
            let all: Vec<_> = (0..PROBES).map(|_| Core::admit(core, now).unwrap()).collect();
            assert!(Core::admit(core, now).is_err());
            drop(all);
        },
        true,
    );
}

#[test]
fn whatever_the_probes_say_nobody_is_locked_out() {
    let ends = [End::Settle(Outcome::Success), End::Settle(Outcome::Failure), End::Drop];
    race(
        ends,
        |core, now| {
            let permit = Core::admit(core, now + SECOND).unwrap();
            drop(permit);
        },
        false,
    );
}

#[test]
fn successes_close_it_once() {
    race(
        [End::Settle(Outcome::Success); 3],
        |core, now| {
            assert_eq!(core.state(now), BreakerState::Closed);
            assert_eq!(core.opened(), 1);
        },
        false,
    );
}

#[test]
fn probes_that_never_end_lose_their_permits_and_their_say() {
    let start = Instant::now();
    loom::model(move || {
        let (core, now) = half_open(start);
        let stuck: Vec<_> = (0..PROBES).map(|_| Core::admit(&core, now).unwrap()).collect();
        assert!(Core::admit(&core, now).is_err());
        // Overdue after a second, open for another.
        let later = now + 2 * SECOND;
        let late = thread::spawn(move || {
            for permit in stuck {
                permit.settle(later, Outcome::Success);
            }
        });
        let other = {
            let core = Arc::clone(&core);
            thread::spawn(move || drop(Core::admit(&core, later).unwrap()))
        };
        drop(Core::admit(&core, later).unwrap());
        late.join().unwrap();
        other.join().unwrap();
        assert_eq!(core.state(later), BreakerState::HalfOpen, "a late success counted");
        assert_eq!(core.opened(), 2);
    });
}
