//! The rule by which one subject's attempts are counted. `attempt.lua` is the same rule, run inside Redis.

use std::time::Duration;

/// How many attempts are free, how soon they are forgotten, and how long to wait beyond.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Attempts without any wait.
    pub burst: u32,
    /// After this long one attempt is forgotten.
    pub forget: Duration,
    /// The wait after the first attempt beyond the burst; it doubles with each further one.
    pub first_wait: Duration,
    /// The longest wait.
    pub longest_wait: Duration,
}

/// What is remembered of a subject. Times are in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Level {
    level: f64,
    at: f64,
    blocked_until: f64,
}

impl Limit {
    /// Counts one attempt: the new level, or the wait.
    pub(super) fn attempt(&self, level: Level, now: f64) -> Result<Level, Duration> {
        if level.blocked_until > now {
            return Err(Duration::from_secs_f64((level.blocked_until - now) / 1e3));
        }
        let forgotten = (now - level.at).max(0.0) / millis(self.forget);
        let count = (level.level - forgotten).max(0.0) + 1.0;
        Ok(Level {
            level: count,
            at: now,
            blocked_until: now + self.wait_after(count),
        })
    }

    /// When everything about the subject is forgotten.
    pub(super) fn forgotten_at(&self, level: Level) -> f64 {
        (level.at + level.level * millis(self.forget)).max(level.blocked_until)
    }

    fn wait_after(&self, count: f64) -> f64 {
        let beyond = (count - f64::from(self.burst)).ceil();
        if beyond < 1.0 {
            return 0.0;
        }
        (millis(self.first_wait) * 2f64.powf((beyond - 1.0).min(30.0))).min(millis(self.longest_wait))
    }
}

pub(super) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit {
        burst: 3,
        forget: Duration::from_secs(10),
        first_wait: Duration::from_secs(1),
        longest_wait: Duration::from_secs(4),
    };

    #[test]
    fn a_burst_is_free_then_waits_double_up_to_the_longest() {
        let mut level = Level::default();
        let mut now = 0.0;
        for expected in [0.0, 0.0, 0.0, 1000.0, 2000.0, 4000.0, 4000.0] {
            level = LIMIT.attempt(level, now).unwrap_or_default();
            assert!(
                (level.blocked_until - now - expected).abs() < 1e-6,
                "{level:?} at {now}"
            );
            if expected > 0.0 {
                let wait = LIMIT.attempt(level, now).err();
                assert_eq!(
                    wait,
                    Some(Duration::from_secs_f64(expected / 1e3)),
                    "an early attempt is not counted"
                );
            }
            now = level.blocked_until;
        }
    }

    #[test]
    fn attempts_are_forgotten() {
        let mut level = Level::default();
        for attempt in 0..50 {
            let now = f64::from(attempt) * 10_000.0;
            level = LIMIT.attempt(level, now).unwrap_or_default();
            assert!(
                level.blocked_until <= now,
                "one attempt per ten seconds is never slowed down"
            );
        }
        assert_eq!(LIMIT.forgotten_at(level), level.at + 10_000.0);
    }
}
