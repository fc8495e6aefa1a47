//! The counters of this member alone, for when Redis cannot be asked.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{
    Counter,
    limit::{Level, millis},
};

/// An attacker chooses the keys, so their number is bounded.
const MOST_SUBJECTS: usize = 10_000;

pub(super) struct Local {
    started: Instant,
    levels: Mutex<HashMap<String, (Level, f64)>>,
}

impl Default for Local {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            levels: Mutex::default(),
        }
    }
}

impl Local {
    /// Zero means counted.
    pub(super) fn attempt(&self, counters: &[Counter]) -> Duration {
        let mut levels = self.lock();
        // Read under the lock: an attempt that read the clock before another one that is counted first would seem to be
        // in that one's wait.
        let now = millis(self.started.elapsed());
        let mut next = Vec::with_capacity(counters.len());
        let mut wait = Duration::ZERO;
        for counter in counters {
            let level = levels
                .get(&counter.key)
                .map_or_else(Level::default, |(level, _)| *level);
            match counter.limit.attempt(level, now) {
                Ok(level) => next.push((counter, level)),
                Err(longer) => wait = wait.max(longer),
            }
        }
        if wait.is_zero() {
            make_room(&mut levels, now, next.len());
            for (counter, level) in next {
                levels.insert(counter.key.clone(), (level, counter.limit.forgotten_at(level)));
            }
        }
        wait
    }

    pub(super) fn forget(&self, key: &str) {
        self.lock().remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, (Level, f64)>> {
        self.levels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops what is forgotten anyway; if all of it is still remembered, some of it goes, so that a flood of made-up subjects
/// costs memory to a bound and not more.
fn make_room(levels: &mut HashMap<String, (Level, f64)>, now: f64, needed: usize) {
    if levels.len() + needed <= MOST_SUBJECTS {
        return;
    }
    levels.retain(|_, (_, forgotten_at)| *forgotten_at > now);
    if levels.len() + needed > MOST_SUBJECTS {
        let mut keep = MOST_SUBJECTS / 2;
        levels.retain(|_, _| {
            keep = keep.saturating_sub(1);
            keep > 0
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::throttle::Limit;

    fn counter(key: &str, burst: u32) -> Counter {
        let limit = Limit {
            burst,
            forget: Duration::from_secs(1000),
            first_wait: Duration::from_secs(100),
            longest_wait: Duration::from_secs(1000),
        };
        Counter {
            key: key.to_owned(),
            limit,
            exemptible: false,
        }
    }

    #[test]
    fn all_subjects_count_or_none() {
        let local = Local::default();
        let (tight, loose) = (counter("tight", 0), counter("loose", 100));
        assert!(local.attempt(&[tight.clone(), loose.clone()]).is_zero());
        assert!(!local.attempt(&[tight.clone(), loose.clone()]).is_zero());
        local.forget("tight");
        assert!(local.attempt(&[tight, loose]).is_zero());
    }

    #[test]
    fn attempts_at_the_same_time_do_not_look_early_to_each_other() {
        let local = Local::default();
        let counters = [counter("office", u32::MAX)];
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..5_000 {
                        assert!(local.attempt(&counters).is_zero());
                    }
                });
            }
        });
    }

    #[test]
    fn memory_is_bounded() {
        let local = Local::default();
        for number in 0..3 * MOST_SUBJECTS {
            assert!(local.attempt(&[counter(&number.to_string(), 1)]).is_zero());
            assert!(local.lock().len() <= MOST_SUBJECTS);
        }
    }
}
