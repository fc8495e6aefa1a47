//! Chance that repeats: the same seed makes the same choices, on every machine and with every version.

use std::time::Duration;

/// SplitMix64. Small, and its sequence never changes with a library.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// The sequence of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A sequence of its own for one run of one component, whatever was drilled before it.
    #[must_use]
    pub fn of_run(seed: u64, component: &str, fault: &str, run: u32) -> Self {
        // FNV-1a.
        let text = format!("{component}/{fault}/{run}");
        let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(seed ^ hash)
    }

    /// The next number.
    pub fn next_number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of these, `None` when there is none.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        let count = u64::try_from(of.len()).ok().filter(|count| *count > 0)?;
        of.get(usize::try_from(self.next_number() % count).ok()?)
    }

    /// A time from `least` to `most`, in whole milliseconds.
    pub fn time(&mut self, least: Duration, most: Duration) -> Duration {
        let span = u64::try_from(most.saturating_sub(least).as_millis()).unwrap_or(u64::MAX);
        least + Duration::from_millis(self.next_number() % (span.saturating_add(1)).max(1))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Chance;

    #[test]
    fn a_seed_repeats_and_another_one_differs() {
        let numbers = |seed| {
            let mut chance = Chance::of_run(seed, "postgres", "kill", 3);
            [chance.next_number(), chance.next_number(), chance.next_number()]
        };
        assert_eq!(numbers(1), numbers(1));
        assert_ne!(numbers(1), numbers(2));
        // Published first outputs of SplitMix64 for seed 0: the sequence is part of what a report means.
        let mut chance = Chance::new(0);
        assert_eq!(chance.next_number(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(chance.next_number(), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn choices_stay_within_their_bounds() {
        let mut chance = Chance::new(7);
        let (least, most) = (Duration::from_millis(5), Duration::from_millis(9));
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..500 {
            let time = chance.time(least, most);
            assert!(time >= least && time <= most);
            seen.insert((time, chance.pick(&[1, 2, 3]).copied()));
        }
        assert_eq!(seen.len(), 15);
        assert_eq!(chance.pick::<u8>(&[]), None);
        assert_eq!(chance.time(most, most), most);
    }
}
