//! The judge: what the clients were told against what the store holds at the end. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use crate::record::{Entry, Outcome};

/// What a store holds after everything was healed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// Every id, in the order in which the store gives them, as often as it holds them.
    pub ids: Vec<u64>,
    /// Whether the store promises to keep the order of one writer (Kafka within a partition).
    pub ordered: bool,
}

/// What became of one store's operations in one run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Judgement {
    /// Operations that the store acknowledged.
    pub acknowledged: u64,
    /// Operations that surely were not done.
    pub failed: u64,
    /// Operations without an answer.
    pub unknown: u64,
    /// Acknowledged, and missing at the end; `None` when what the store holds was not looked at.
    pub lost: Option<Vec<u64>>,
    /// Present more than once.
    pub duplicated: Vec<u64>,
    /// Failed, and present all the same.
    pub risen: Vec<u64>,
    /// Acknowledged, and behind a later one of the same writer.
    pub reordered: Vec<u64>,
}

impl Judgement {
    /// Whether nothing is wrong with what the store holds.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.lost.as_ref().is_none_or(Vec::is_empty)
            && self.duplicated.is_empty()
            && self.risen.is_empty()
            && self.reordered.is_empty()
    }
}

/// Judges one store's operations of one run. Without `found` only what the clients know is counted.
#[must_use]
pub fn judge<'a>(entries: impl IntoIterator<Item = &'a Entry>, found: Option<&Found>) -> Judgement {
    let mut judgement = Judgement::default();
    let mut told: BTreeMap<u64, (Outcome, u16)> = BTreeMap::new();
    for entry in entries {
        *match entry.outcome {
            Outcome::Acknowledged => &mut judgement.acknowledged,
            Outcome::Failed => &mut judgement.failed,
            Outcome::Unknown => &mut judgement.unknown,
        } += 1;
        told.insert(entry.id, (entry.outcome, entry.writer));
    }
    let Some(found) = found else { return judgement };

    let mut times: HashMap<u64, u32> = HashMap::with_capacity(found.ids.len());
    for id in &found.ids {
        *times.entry(*id).or_default() += 1;
    }
    let of = |outcome: Outcome| move |(_, (told, _)): &(&u64, &(Outcome, u16))| *told == outcome;
    let missing = told.iter().filter(of(Outcome::Acknowledged)).map(|(id, _)| *id);
    judgement.lost = Some(missing.filter(|id| !times.contains_key(id)).collect());
    let present = told.iter().filter(of(Outcome::Failed)).map(|(id, _)| *id);
    judgement.risen = present.filter(|id| times.contains_key(id)).collect();
    let twice: BTreeSet<u64> = times
        .iter()
        .filter(|(_, times)| **times > 1)
        .map(|(id, _)| *id)
        .collect();
    judgement.duplicated = twice.into_iter().collect();
    if found.ordered {
        judgement.reordered = reordered(found, &told);
    }
    judgement
}

/// Ids of one writer grow with time, so each must be greater than all before it.
fn reordered(found: &Found, told: &BTreeMap<u64, (Outcome, u16)>) -> Vec<u64> {
    let mut greatest: HashMap<u16, u64> = HashMap::new();
    let mut behind = BTreeSet::new();
    for id in &found.ids {
        let Some((Outcome::Acknowledged, writer)) = told.get(id) else {
            continue;
        };
        let greatest = greatest.entry(*writer).or_insert(*id);
        if id < greatest {
            behind.insert(*id);
        }
        *greatest = (*greatest).max(*id);
    }
    behind.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Found, judge};
    use crate::record::{Entry, Outcome};
    use crate::store::Store;

    fn entry(id: u64, writer: u16, outcome: Outcome) -> Entry {
        Entry {
            run: 1,
            store: Store::Kafka,
            id,
            writer,
            begun: id,
            ended: id,
            outcome,
        }
    }

    fn found(ids: &[u64]) -> Found {
        Found {
            ids: ids.to_vec(),
            ordered: true,
        }
    }

    #[test]
    fn each_kind_of_wrong_is_named_by_its_id() {
        let entries = [
            entry(0, 0, Outcome::Acknowledged),
            entry(1, 0, Outcome::Acknowledged),
            entry(2, 0, Outcome::Failed),
            entry(3, 0, Outcome::Unknown),
            entry(4, 0, Outcome::Acknowledged),
            entry(5, 1, Outcome::Acknowledged),
        ];
        let fine = judge(&entries, Some(&found(&[0, 5, 1, 4])));
        assert!(fine.is_clean() && fine.lost == Some(Vec::new()), "{fine:?}");
        assert_eq!((fine.acknowledged, fine.failed, fine.unknown), (4, 1, 1));
        // An unknown one may be there.
        assert!(judge(&entries, Some(&found(&[0, 1, 3, 4, 5]))).is_clean());

        let wrong = judge(&entries, Some(&found(&[4, 0, 2, 5, 5])));
        assert_eq!(wrong.lost, Some(vec![1]));
        assert_eq!(wrong.risen, [2]);
        assert_eq!(wrong.duplicated, [5]);
        assert_eq!(wrong.reordered, [0]);
        assert_eq!(judge(&entries, None).lost, None);
    }

    proptest! {
        /// Whatever is planted in a ledger of any shape is found, and nothing else is.
        #[test]
        fn what_is_planted_is_found(outcomes in prop::collection::vec(0_u8..3, 3..200), at in any::<prop::sample::Index>()) {
            let kinds = [Outcome::Acknowledged, Outcome::Failed, Outcome::Unknown];
            let entries: Vec<Entry> = outcomes
                .iter()
                .zip(0_u64..)
                .map(|(kind, id)| entry(id, u16::try_from(id % 3).unwrap_or(0), kinds[usize::from(*kind)]))
                .collect();
            let acknowledged: Vec<u64> =
                entries.iter().filter(|entry| entry.outcome == Outcome::Acknowledged).map(|entry| entry.id).collect();
            prop_assert!(judge(&entries, Some(&found(&acknowledged))).is_clean());
            prop_assume!(!acknowledged.is_empty());
            let planted = *at.get(&acknowledged);

            let without: Vec<u64> = acknowledged.iter().copied().filter(|id| *id != planted).collect();
            prop_assert_eq!(judge(&entries, Some(&found(&without))).lost, Some(vec![planted]));

            let mut twice = acknowledged.clone();
            twice.push(planted);
            prop_assert_eq!(judge(&entries, Some(&found(&twice))).duplicated, vec![planted]);
        }
    }
}
