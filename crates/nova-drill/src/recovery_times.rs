//! How long clients went without an acknowledgement, and how many they got each second. Pure.

use std::collections::BTreeMap;

use crate::record::{Entry, Outcome};

/// Length of a step of a fine timeline, in milliseconds.
pub const STEP_MS: u64 = 100;
/// Steps of a fine timeline before the fault.
const BEFORE: u64 = 20;
/// Steps that a fine timeline has at most: two minutes.
const MOST_STEPS: usize = 1200;

/// A time without an acknowledgement, in Unix milliseconds by the clients' clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The last acknowledgement before it.
    pub from: u64,
    /// The first one after it.
    pub to: u64,
}

impl Gap {
    /// How long it is, in milliseconds.
    #[must_use]
    pub fn ms(self) -> u64 {
        self.to - self.from
    }
}

/// The longest time that any writer went without an acknowledgement because of the fault: from its last one before the gap
/// to its first one after it. Each writer counts for itself, since one Kafka partition may stand still while the others go
/// on. `None` when a writer was not acknowledged again, or when nobody wrote. `at` is when the fault began.
#[must_use]
pub fn longest_gap<'a>(entries: impl IntoIterator<Item = &'a Entry>, at: u64) -> Option<Gap> {
    let mut writers: BTreeMap<u16, Vec<u64>> = BTreeMap::new();
    for entry in entries {
        let acknowledged = writers.entry(entry.writer).or_default();
        if entry.outcome == Outcome::Acknowledged {
            acknowledged.push(entry.ended);
        }
    }
    let longest = |mut times: Vec<u64>| {
        times.sort_unstable();
        // A gap that ended before the fault is not its doing.
        let gaps = times.windows(2).filter(|pair| pair[1] >= at).map(|pair| Gap {
            from: pair[0],
            to: pair[1],
        });
        gaps.max_by_key(|gap| gap.ms())
    };
    let gaps: Option<Vec<Gap>> = writers.into_values().map(longest).collect();
    gaps?.into_iter().max_by_key(|gap| gap.ms())
}

/// When the slowest writer got its first acknowledgement from `at` on; `None` when one got none.
#[must_use]
pub fn all_acknowledged_from<'a>(entries: impl IntoIterator<Item = &'a Entry>, at: u64) -> Option<u64> {
    let mut writers: BTreeMap<u16, Option<u64>> = BTreeMap::new();
    for entry in entries {
        let first = writers.entry(entry.writer).or_default();
        if entry.outcome == Outcome::Acknowledged && entry.ended >= at {
            *first = Some(first.map_or(entry.ended, |first| first.min(entry.ended)));
        }
    }
    let firsts: Option<Vec<u64>> = writers.into_values().collect();
    firsts?.into_iter().max()
}

/// Acknowledged operations in each [`STEP_MS`], from at most [`BEFORE`] of them before the fault on.
#[must_use]
pub fn steps<'a>(entries: impl IntoIterator<Item = &'a Entry>, at: u64) -> (Vec<u64>, usize) {
    let begin = at.saturating_sub(BEFORE * STEP_MS);
    let mut counts: BTreeMap<usize, u64> = BTreeMap::new();
    for entry in entries {
        if entry.outcome == Outcome::Acknowledged && entry.ended >= begin {
            let step = usize::try_from((entry.ended - begin) / STEP_MS).unwrap_or(usize::MAX);
            *counts.entry(step).or_default() += 1;
        }
    }
    let Some((last, _)) = counts.last_key_value() else {
        return (Vec::new(), 0);
    };
    let (first, last) = (
        counts.first_key_value().map_or(0, |(first, _)| *first),
        (*last).min(MOST_STEPS - 1),
    );
    let fault = usize::try_from((at - begin) / STEP_MS).unwrap_or(0);
    let steps = (first..=last).map(|step| counts.get(&step).copied().unwrap_or(0));
    (steps.collect(), fault.saturating_sub(first))
}

/// Acknowledged operations a second, from the first second that has one to the last; and which second the fault fell into.
#[must_use]
pub fn timeline<'a>(entries: impl IntoIterator<Item = &'a Entry>, at: u64) -> (Vec<u64>, usize) {
    let mut seconds: BTreeMap<u64, u64> = BTreeMap::new();
    // Seconds are counted from the fault, so that it stands at the edge of one.
    let offset = at % 1000;
    for entry in entries {
        if entry.outcome == Outcome::Acknowledged {
            *seconds.entry((entry.ended + 1000 - offset) / 1000).or_default() += 1;
        }
    }
    let fault = (at + 1000 - offset) / 1000;
    let (Some((first, _)), Some((last, _))) = (seconds.first_key_value(), seconds.last_key_value()) else {
        return (Vec::new(), 0);
    };
    let (first, last) = (*first, *last);
    let counts = (first..=last)
        .map(|second| seconds.get(&second).copied().unwrap_or(0))
        .collect();
    (counts, usize::try_from(fault.saturating_sub(first)).unwrap_or(0))
}

/// A timeline as a line of bars, a character a second, with `!` where the fault begins.
#[must_use]
pub fn bars(counts: &[u64], fault: usize) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let mut text = String::new();
    for (second, count) in counts.iter().enumerate() {
        if second == fault {
            text.push('!');
        }
        text.push(match count {
            0 => ' ',
            count => {
                let step = (count * 8).div_ceil(most).clamp(1, 8);
                usize::try_from(step - 1).map_or('█', |step| BARS[step])
            }
        });
    }
    text
}

/// The value below which this share of the sorted values lies (nearest rank).
#[must_use]
pub fn percentile(sorted: &[u64], share: u64) -> Option<u64> {
    let count = u64::try_from(sorted.len()).ok()?;
    let rank = (count * share).div_ceil(100).max(1);
    sorted.get(usize::try_from(rank - 1).ok()?).copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Gap, all_acknowledged_from, bars, longest_gap, percentile, steps, timeline};
    use crate::record::{Entry, Outcome};
    use crate::store::Store;

    fn entry(writer: u16, ended: u64, outcome: Outcome) -> Entry {
        Entry {
            run: 1,
            store: Store::Redis,
            id: ended,
            writer,
            begun: ended,
            ended,
            outcome,
        }
    }

    fn acknowledged(writer: u16, times: &[u64]) -> Vec<Entry> {
        times
            .iter()
            .map(|at| entry(writer, *at, Outcome::Acknowledged))
            .collect()
    }

    #[test]
    fn the_writer_that_waited_longest_counts_and_older_gaps_do_not() {
        let mut entries = acknowledged(0, &[0, 9000, 10_000, 10_020]);
        entries.extend(acknowledged(1, &[9990, 12_500, 12_510]));
        let gap = Gap { from: 9990, to: 12_500 };
        assert_eq!(longest_gap(&entries, 10_000), Some(gap));
        assert_eq!(gap.ms(), 2510);
        // Failures in between are no acknowledgements.
        entries.push(entry(1, 11_000, Outcome::Failed));
        assert_eq!(longest_gap(&entries, 10_000), Some(gap));
    }

    #[test]
    fn a_writer_that_never_came_back_is_no_recovery() {
        let mut entries = acknowledged(0, &[9000, 10_100]);
        entries.extend(acknowledged(1, &[9000, 9500]));
        assert_eq!(longest_gap(&entries, 10_000), None);
        entries.extend(acknowledged(2, &[]));
        assert_eq!(longest_gap(&[], 10_000), None);
    }

    #[test]
    fn everybody_is_back_when_the_slowest_is() {
        let mut entries = acknowledged(0, &[900, 1000, 1010]);
        entries.extend(acknowledged(1, &[990, 1500, 1510]));
        assert_eq!(all_acknowledged_from(&entries, 1000), Some(1500));
        assert_eq!(all_acknowledged_from(&entries, 1011), None);
    }

    #[test]
    fn seconds_without_an_acknowledgement_are_seen() {
        let entries = acknowledged(0, &[8600, 9600, 9700, 12_600, 13_500]);
        let (counts, fault) = timeline(&entries, 10_500);
        assert_eq!((counts.as_slice(), fault), (&[1, 2, 0, 0, 1, 1][..], 2));
        assert_eq!(bars(&counts, fault), "▄█!  ▄▄");
    }

    #[test]
    fn steps_begin_two_seconds_before_the_fault_or_with_the_first_acknowledgement() {
        let entries = acknowledged(0, &[100, 7950, 8000, 8099, 8100, 10_000, 10_350]);
        let (counts, fault) = steps(&entries, 10_000);
        assert_eq!((counts.len(), fault), (24, 20));
        assert_eq!((&counts[..3], &counts[20..]), (&[2, 1, 0][..], &[1, 0, 0, 1][..]));
        assert_eq!(steps(&acknowledged(0, &[9900, 10_100]), 10_000), (vec![1, 0, 1], 1));
        assert_eq!(steps(&[], 10_000), (Vec::new(), 0));
        let long = acknowledged(0, &[10_000, 10_000_000]);
        assert_eq!(steps(&long, 10_000).0.len(), 1180);
    }

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let twenty: Vec<u64> = (1..=20).collect();
        assert_eq!(
            [50, 95, 100].map(|share| percentile(&twenty, share)),
            [Some(10), Some(19), Some(20)]
        );
        assert_eq!(percentile(&[7], 95), Some(7));
        assert_eq!(percentile(&[], 50), None);
    }

    proptest! {
        #[test]
        fn no_second_is_forgotten(times in prop::collection::vec(0_u64..60_000, 1..200), at in 0_u64..60_000) {
            let (counts, _) = timeline(&acknowledged(0, &times), at);
            prop_assert_eq!(counts.iter().sum::<u64>(), times.len() as u64);
        }

        #[test]
        fn a_gap_is_never_longer_than_the_whole(times in prop::collection::vec(0_u64..60_000, 2..100)) {
            let span = times.iter().max().zip(times.iter().min()).map_or(0, |(most, least)| most - least);
            prop_assert!(longest_gap(&acknowledged(0, &times), 0).is_some_and(|gap| gap.ms() <= span));
        }
    }
}
