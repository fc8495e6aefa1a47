//! What a failover spent its time on, from the stores' own logs: who noticed when, who was chosen, when it served.
//!
//! The times are those of the members' clocks, the last one the clients': on one machine they are the same clock.

mod kafka;
mod postgres;
mod redis;

use nova_platform::log_time::written_ms;
use nova_platform::spec::Spec;
use nova_platform::target::{LogQuery, Target};
use nova_platform::topology::{Kind, components};

use crate::fault::Fault;
use crate::record::{Entry, Phases};
use crate::recovery_times::{Gap, all_acknowledged_from, longest_gap};
use crate::store::Store;

/// Lines of a member's log that are looked at: far more than a failover writes.
const TAIL: usize = 5000;

/// When each step was done, in Unix milliseconds, as far as the logs tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Moments {
    pub(crate) detected: Option<u64>,
    pub(crate) elected: Option<u64>,
    pub(crate) served: Option<u64>,
}

/// One line of a member's log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said<'a> {
    pub(crate) at: u64,
    pub(crate) text: &'a str,
}

impl Moments {
    /// `at` is when the fault began, `back` when the last client was acknowledged again.
    fn phases(self, at: u64, back: Option<u64>) -> Phases {
        let Self {
            detected,
            elected,
            served,
        } = self;
        let took = |from: Option<u64>, to: Option<u64>| Some(to?.saturating_sub(from?));
        Phases {
            detection_ms: took(Some(at), detected),
            election_ms: took(detected, elected),
            promotion_ms: took(elected, served),
            rerouting_ms: took(served, back),
        }
    }
}

/// Which members' logs tell of a failover of this store.
fn tellers(store: Store) -> &'static [Kind] {
    match store {
        Store::Postgres => &[Kind::Postgres],
        Store::Redis => &[Kind::Sentinel, Kind::Redis],
        Store::Kafka => &[Kind::Kafka],
        Store::Posts | Store::Requests => &[],
    }
}

/// What a run's time was spent on, of one store's operations in it. `None` when nothing is told: a store may have kept its
/// leader, and a log that cannot be read is no reason for a drill to fail.
pub(crate) async fn of_run<T: Target>(
    target: &T,
    spec: &Spec,
    fault: Fault,
    store: Store,
    entries: &[&Entry],
    at: u64,
) -> Option<Phases> {
    // Where several members fall, each at its time, there is no one failover.
    if matches!(fault, Fault::Rolling | Fault::Drain | Fault::Cold | Fault::Watch) {
        return None;
    }
    let gap = longest_gap(entries.iter().copied(), at)?;
    let tellers = tellers(store);
    let all = components(spec).into_iter().flat_map(|component| component.members);
    let mut logs = Vec::new();
    for member in all.filter(|member| tellers.contains(&member.kind)) {
        for previous in [true, false] {
            let query = LogQuery {
                tail: Some(TAIL),
                previous,
            };
            // There need not have been a start before this one.
            logs.push(target.logs(&member.name, &query).await.unwrap_or_default());
        }
    }
    let back = |served| all_acknowledged_from(entries.iter().copied(), served);
    of_logs(store, &logs, at, gap, back)
}

/// A log is one member's, oldest line first; `back` tells when every client was acknowledged by whoever serves since then.
fn of_logs(store: Store, logs: &[Vec<String>], at: u64, gap: Gap, back: impl Fn(u64) -> Option<u64>) -> Option<Phases> {
    let said: Vec<Vec<Said<'_>>> = logs.iter().map(|log| between(log, at, gap.to)).collect();
    let moments = match store {
        Store::Postgres => postgres::moments(&said),
        Store::Redis => redis::moments(&said),
        Store::Kafka => kafka::moments(&said),
        // Nobody is elected: the gateway finds out, and goes elsewhere.
        Store::Posts | Store::Requests => {
            return Some(Phases {
                rerouting_ms: Some(gap.ms()),
                ..Phases::default()
            });
        }
    };
    // Whoever is believed to be away and comes back in time needs no successor.
    moments.elected.or(moments.served)?;
    let phases = moments.phases(at, moments.served.and_then(back));
    phases.is_known().then_some(phases)
}

/// The lines that were written between the fault and the recovery, in the order of their times.
fn between(log: &[String], from: u64, to: u64) -> Vec<Said<'_>> {
    let said = |text: &'_ String| written_ms(text).filter(|at| (from..=to).contains(at));
    let mut lines: Vec<Said<'_>> = log
        .iter()
        .filter_map(|text| Some(Said { at: said(text)?, text }))
        .collect();
    lines.sort_by_key(|said| said.at);
    lines
}

/// When the first line was written that this is true of, in any of the logs.
fn first(logs: &[Vec<Said<'_>>], is_it: impl Fn(&str) -> bool) -> Option<u64> {
    let lines = logs.iter().flatten().filter(|said| is_it(said.text));
    lines.map(|said| said.at).min()
}

/// As [`first`], the last one.
fn last(logs: &[Vec<Said<'_>>], is_it: impl Fn(&str) -> bool) -> Option<u64> {
    let lines = logs.iter().flatten().filter(|said| is_it(said.text));
    lines.map(|said| said.at).max()
}

#[cfg(test)]
mod tests;
