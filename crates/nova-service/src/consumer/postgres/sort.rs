//! What is done with each entry of a step: decided in order, without I/O.

use std::collections::{BTreeMap, BTreeSet};

use nova_events::Version;

use super::Guard;
use super::letters::{Letter, State};
use crate::consumer::{Applied, Entry, Event, Record, Step};

/// The newest version of each key.
pub(super) type Newest = BTreeMap<Vec<u8>, Version>;

/// Why an event waits.
const BEHIND: &str = "an earlier event of its key could not be applied";

/// The entries of a step by what is done with them.
pub(super) struct Sorted<'a> {
    /// What the handler is given.
    pub(super) events: Vec<Event>,
    /// What is put aside.
    pub(super) letters: Vec<Letter<'a>>,
    stale: u64,
}

impl Sorted<'_> {
    pub(super) fn counts(&self) -> Applied {
        let of = |state| self.letters.iter().filter(|letter| letter.state == state).count() as u64;
        Applied {
            applied: self.events.len() as u64,
            stale: self.stale,
            dead: of(State::Dead),
            parked: of(State::Parked),
        }
    }
}

/// The keys of a step's entries.
pub(super) fn keys<'a>(step: &Step<'a>) -> Vec<&'a [u8]> {
    let keys: BTreeSet<&[u8]> = step
        .entries
        .iter()
        .filter_map(|entry| entry.record().key.as_deref())
        .collect();
    keys.into_iter().collect()
}

/// Decides. `blocked` are the keys of which something is put aside already.
pub(super) fn sort<'a>(
    step: &Step<'a>,
    guard: Guard,
    mut blocked: BTreeSet<Vec<u8>>,
    mut newest: Newest,
) -> Sorted<'a> {
    let mut sorted = Sorted {
        events: Vec::new(),
        letters: Vec::new(),
        stale: 0,
    };
    for entry in step.entries {
        let record = entry.record();
        if record.key.as_ref().is_some_and(|key| blocked.contains(key)) {
            sorted.letters.push(letter(record, State::Parked, BEHIND, 0));
            continue;
        }
        let event = match (entry, step.condemned) {
            (Entry::Event(event), None) => event,
            (Entry::Event(_), Some(condemned)) => {
                blocked.extend(record.key.clone());
                let dead = letter(record, State::Dead, &condemned.reason, condemned.attempts);
                sorted.letters.push(dead);
                continue;
            }
            (Entry::Malformed { reason, .. }, _) => {
                blocked.extend(record.key.clone());
                sorted.letters.push(letter(record, State::Dead, reason, 1));
                continue;
            }
        };
        if guard == Guard::Newest {
            let newer = newest.get(event.key()).is_none_or(|newest| event.version > *newest);
            if !newer {
                sorted.stale += 1;
                continue;
            }
            newest.insert(event.key().to_vec(), event.version);
        }
        sorted.events.push(event.clone());
    }
    sorted
}

fn letter<'a>(record: &'a Record, state: State, reason: &str, attempts: u32) -> Letter<'a> {
    Letter {
        record,
        state,
        reason: reason.to_owned(),
        attempts,
    }
}
