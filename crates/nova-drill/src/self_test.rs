//! Proves that the judge can see: a lost, a duplicated, a risen and a reordered id are planted in ledgers, and each must be
//! found, and nothing else.

use serde::Serialize;

use crate::chance::Chance;
use crate::judge::{Found, Judgement, judge};
use crate::record::{Entry, Outcome};
use crate::store::Store;

/// Operations of the made-up ledger.
const OPERATIONS: u64 = 4000;
const WRITERS: u64 = 8;

/// One thing planted, and whether it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Planted {
    /// `nothing`, `lost`, `duplicated`, `risen`, `reordered`.
    pub what: &'static str,
    /// The id that it happened to.
    pub id: Option<u64>,
    /// Whether exactly this was found.
    pub found: bool,
}

/// Plants each in turn.
#[must_use]
pub fn run(seed: u64) -> Vec<Planted> {
    let mut chance = Chance::of_run(seed, "self-test", "", 0);
    let entries = entries(&mut chance);
    let of = |outcome: Outcome| -> Vec<u64> {
        let matching = entries.iter().filter(|entry| entry.outcome == outcome);
        matching.map(|entry| entry.id).collect()
    };
    let (acknowledged, failed) = (of(Outcome::Acknowledged), of(Outcome::Failed));
    let judged = |ids: &[u64]| {
        let found = Found {
            ids: ids.to_vec(),
            ordered: true,
        };
        judge(&entries, Some(&found))
    };
    let planted = |what, id: u64, judgement: &Judgement, seen: &[u64]| {
        let others = [
            judgement.lost.as_deref().unwrap_or(&[]),
            &judgement.duplicated,
            &judgement.risen,
            &judgement.reordered,
        ];
        let named: usize = others.iter().map(|ids| ids.len()).sum();
        Planted {
            what,
            id: Some(id),
            found: seen == [id] && named == 1,
        }
    };
    let mut results = vec![Planted {
        what: "nothing",
        id: None,
        found: judged(&acknowledged).is_clean(),
    }];
    if let Some(id) = chance.pick(&acknowledged).copied() {
        let ids: Vec<u64> = acknowledged.iter().copied().filter(|other| *other != id).collect();
        let judgement = judged(&ids);
        results.push(planted(
            "lost",
            id,
            &judgement,
            judgement.lost.as_deref().unwrap_or(&[]),
        ));
    }
    if let Some(id) = chance.pick(&acknowledged).copied() {
        let ids: Vec<u64> = acknowledged
            .iter()
            .flat_map(|other| vec![*other; 1 + usize::from(*other == id)])
            .collect();
        let judgement = judged(&ids);
        results.push(planted("duplicated", id, &judgement, &judgement.duplicated));
    }
    if let Some(id) = chance.pick(&failed).copied() {
        let ids: Vec<u64> = acknowledged.iter().copied().chain([id]).collect();
        let judgement = judged(&ids);
        results.push(planted("risen", id, &judgement, &judgement.risen));
    }
    // Any but a writer's last may be moved behind all others of it.
    let early = acknowledged.get(..acknowledged.len() / 2).unwrap_or(&[]);
    if let Some(id) = chance.pick(early).copied() {
        let others = acknowledged.iter().copied().filter(|other| *other != id);
        let ids: Vec<u64> = others.chain([id]).collect();
        let judgement = judged(&ids);
        results.push(planted("reordered", id, &judgement, &judgement.reordered));
    }
    results
}

fn entries(chance: &mut Chance) -> Vec<Entry> {
    let mut entry = |id: u64| Entry {
        run: 1,
        store: Store::Kafka,
        id,
        writer: u16::try_from(id % WRITERS).unwrap_or(0),
        begun: id * 2,
        ended: id * 2 + 1,
        outcome: match chance.next_number() % 20 {
            0 => Outcome::Failed,
            1 => Outcome::Unknown,
            _ => Outcome::Acknowledged,
        },
    };
    (0..OPERATIONS).map(&mut entry).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn everything_planted_is_found_whatever_the_seed() {
        for seed in 0..50 {
            let results = super::run(seed);
            assert_eq!(results.len(), 5);
            assert!(results.iter().all(|planted| planted.found), "seed {seed}: {results:?}");
        }
    }
}
