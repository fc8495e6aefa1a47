//! How long to wait before a member that ended starts again, and when to call it failing.

use std::time::Duration;

/// A run this long shows that the member works; the next pause is the first one again.
const PROVEN: Duration = Duration::from_secs(5);
/// A run this short counts as a failed start.
const QUICK: Duration = Duration::from_secs(1);
/// Equal quick ends in a row after which waiting is not expected to help.
const HOPELESS: u32 = 5;

/// Counts ends in a row.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    ends: u32,
    quick: u32,
    last: Option<String>,
}

impl Backoff {
    /// Notes an end, and says how long to wait.
    pub(super) fn ended(&mut self, ran: Duration, how: &str, first: Duration, longest: Duration) -> Duration {
        if ran >= PROVEN {
            *self = Self::default();
        }
        self.quick = match &self.last {
            _ if ran >= QUICK => 0,
            Some(last) if last != how => 1,
            _ => self.quick + 1,
        };
        self.last = Some(how.to_owned());
        let pause = first.saturating_mul(1 << self.ends.min(20)).min(longest);
        self.ends = self.ends.saturating_add(1);
        if self.is_hopeless() { longest } else { pause }
    }

    /// Notes that it cannot even be started; only a repaired program will change that.
    pub(super) fn cannot_start(&mut self) {
        self.quick = HOPELESS;
    }

    pub(super) fn is_hopeless(&self) -> bool {
        self.quick >= HOPELESS
    }
}

#[cfg(test)]
mod tests {
    use super::Backoff;
    use std::time::Duration;

    const FIRST: Duration = Duration::from_millis(200);
    const LONGEST: Duration = Duration::from_secs(10);

    #[test]
    fn pauses_double_up_to_the_longest_and_a_long_run_resets_them() {
        let mut backoff = Backoff::default();
        let pauses: Vec<u128> = (0..8)
            .map(|_| {
                backoff
                    .ended(Duration::from_secs(2), "exit status 1", FIRST, LONGEST)
                    .as_millis()
            })
            .collect();
        assert_eq!(pauses, [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        assert!(!backoff.is_hopeless());
        assert_eq!(backoff.ended(Duration::from_secs(5), "signal 9", FIRST, LONGEST), FIRST);
    }

    #[test]
    fn five_equal_quick_ends_are_hopeless() {
        let mut backoff = Backoff::default();
        for _ in 0..4 {
            backoff.ended(Duration::ZERO, "exit status 1", FIRST, LONGEST);
        }
        assert!(!backoff.is_hopeless());
        assert_eq!(backoff.ended(Duration::ZERO, "exit status 1", FIRST, LONGEST), LONGEST);
        assert!(backoff.is_hopeless());
        backoff.ended(Duration::ZERO, "exit status 2", FIRST, LONGEST);
        assert!(!backoff.is_hopeless(), "it ended otherwise, so something has changed");
    }

    #[test]
    fn a_huge_number_of_ends_does_not_overflow() {
        let mut backoff = Backoff::default();
        for _ in 0..100 {
            assert!(backoff.ended(Duration::from_secs(2), "x", Duration::from_secs(1 << 40), LONGEST) <= LONGEST);
        }
    }
}
