//! Puts reports together: what was found about a store becomes a run's, runs become a drill's, drills a call's.

use super::{
    Broken, BrokenKind, CampaignReport, DrillReport, Failure, FailureKind, PhaseSpreads, SCHEMA, Spread, StoreSummary,
    Verdict,
};
use nova_platform::explained::explained;

use crate::aim::Aim;
use crate::error::DrillError;
use crate::fault::Fault;
use crate::judge::{Found, Judgement, judge};
use crate::ledger::Read;
use crate::record::{Begin, Budget, Entry, Header, Phases, RunReport, StoreReport};
use crate::recovery_times::{Gap, longest_gap, percentile, steps, timeline};
use crate::store::Store;

/// Ids that a report names at most; the ledger has all.
const SHOWN: usize = 20;

impl StoreReport {
    /// Of one store's operations in one run.
    #[must_use]
    pub fn of(store: Store, entries: &[&Entry], found: Option<&Found>, fault_at: u64) -> Self {
        let Judgement {
            acknowledged,
            failed,
            unknown,
            lost,
            duplicated,
            risen,
            reordered,
        } = judge(entries.iter().copied(), found);
        let count = |ids: &[u64]| u64::try_from(ids.len()).unwrap_or(u64::MAX);
        let (seconds, fault_second) = timeline(entries.iter().copied(), fault_at);
        let (fine, fault_step) = steps(entries.iter().copied(), fault_at);
        let suspects = lost.iter().flatten().chain(&duplicated).chain(&risen).chain(&reordered);
        Self {
            store,
            rto_ms: longest_gap(entries.iter().copied(), fault_at).map(Gap::ms),
            acknowledged,
            failed,
            unknown,
            lost: lost.as_deref().map(count),
            duplicated: count(&duplicated),
            risen: count(&risen),
            reordered: count(&reordered),
            suspects: suspects.take(SHOWN).copied().collect(),
            timeline: seconds,
            fault_second,
            steps: fine,
            fault_step,
            phases: None,
        }
    }
}

impl RunReport {
    /// Of the stores' parts.
    #[must_use]
    pub fn of(run: u32, members: Vec<String>, rejoined_ms: Option<u64>, stores: Vec<StoreReport>) -> Self {
        let sum = |of: fn(&StoreReport) -> u64| stores.iter().map(of).sum();
        let rto: Option<Vec<u64>> = stores.iter().map(|store| store.rto_ms).collect();
        let looked: Option<Vec<u64>> = stores
            .iter()
            .filter(|store| store.store.is_judged())
            .map(|store| store.lost)
            .collect();
        Self {
            run,
            members,
            rto_ms: rto.and_then(|all| all.into_iter().max()),
            acknowledged: sum(|store| store.acknowledged),
            failed: sum(|store| store.failed),
            unknown: sum(|store| store.unknown),
            lost: looked.map(|all| all.into_iter().sum()),
            duplicated: sum(|store| store.duplicated),
            rejoined_ms,
            not_whole: None,
            stores,
        }
    }
}

impl DrillReport {
    /// Of all runs of one component and fault, with the reasons why it does not pass.
    #[must_use]
    pub fn of(component: &Aim, fault: Fault, runs: Vec<RunReport>, budgets: &[Budget]) -> Self {
        let mut failures = Vec::new();
        let mut stores: Vec<Store> = runs
            .iter()
            .flat_map(|run| &run.stores)
            .map(|store| store.store)
            .collect();
        stores.sort_unstable();
        stores.dedup();
        let of_store = |store: Store| {
            runs.iter()
                .flat_map(|run| &run.stores)
                .filter(move |report| report.store == store)
        };
        let summaries: Vec<StoreSummary> = stores
            .iter()
            .map(|store| StoreSummary {
                store: *store,
                rto_ms: spread(of_store(*store).map(|report| report.rto_ms)),
                budget_ms: budgets
                    .iter()
                    .find(|budget| budget.store == *store)
                    .map(|budget| budget.ms),
                phases: phases(of_store(*store).filter_map(|report| report.phases)),
            })
            .collect();
        for run in &runs {
            for report in &run.stores {
                let wrong = report.failures().into_iter();
                failures.extend(wrong.map(|kind| Failure::of_run(component, run.run, report.store, kind)));
            }
            let amiss = run.not_whole.as_deref();
            failures.extend(amiss.map(|why| Failure::not_whole(component, run.run, why)));
        }
        // What the gateway may repeat, no user may see fail when a member of a service ends and others are there, or a node is drained.
        let refused: u64 = of_store(Store::Requests).map(|report| report.failed).sum();
        if refused > 0 && matches!(fault, Fault::Kill | Fault::Rolling | Fault::Drain) {
            let kind = FailureKind::RequestsFailed { failed: refused, fault };
            failures.push(Failure::of_store(component, Store::Requests, kind));
        }
        for summary in &summaries {
            if let (Some(spread), Some(budget)) = (summary.rto_ms, summary.budget_ms)
                && spread.p95 > budget
            {
                let kind = FailureKind::OverBudget {
                    p95_ms: spread.p95,
                    budget_ms: budget,
                    fault,
                };
                failures.push(Failure::of_store(component, summary.store, kind));
            }
        }
        Self {
            component: component.clone(),
            fault,
            rto_ms: spread(runs.iter().map(|run| run.rto_ms)),
            rejoined_ms: spread(runs.iter().map(|run| run.rejoined_ms)),
            runs,
            stores: summaries,
            failures,
        }
    }
}

impl StoreReport {
    /// What is wrong, whatever the budget: Redis holds only what can be rebuilt, so its loss is told and no more.
    fn failures(&self) -> Vec<FailureKind> {
        let mut failures = Vec::new();
        if self.rto_ms.is_none() {
            failures.push(FailureKind::NotAcknowledgedAgain);
        }
        if self.store.keeps_everything() {
            let ids = || self.suspects.clone();
            let (lost, duplicated) = (self.lost.unwrap_or(0), self.duplicated);
            let (risen, reordered) = (self.risen, self.reordered);
            let wrong = [
                (lost > 0).then(|| FailureKind::Lost {
                    count: lost,
                    ids: ids(),
                }),
                (duplicated > 0).then(|| FailureKind::Duplicated {
                    count: duplicated,
                    ids: ids(),
                }),
                (risen > 0).then(|| FailureKind::Risen {
                    count: risen,
                    ids: ids(),
                }),
                (reordered > 0).then(|| FailureKind::Reordered {
                    count: reordered,
                    ids: ids(),
                }),
            ];
            failures.extend(wrong.into_iter().flatten());
        }
        failures
    }
}

impl CampaignReport {
    /// What a ledger tells without its platform: runs that were judged as they were judged, and of the others what the
    /// clients themselves knew.
    #[must_use]
    pub fn from_ledger(read: &Read, path: &str) -> Self {
        let mut drills: Vec<(Begin, Vec<RunReport>)> = Vec::new();
        for begin in &read.begins {
            let judged = read.judged.iter().find(|judged| judged.run == begin.run).cloned();
            let report = judged.unwrap_or_else(|| unjudged(begin, &read.entries));
            match drills
                .iter_mut()
                .find(|(first, _)| first.component == begin.component && first.fault == begin.fault)
            {
                Some((_, runs)) => runs.push(report),
                None => drills.push((begin.clone(), vec![report])),
            }
        }
        let drills = drills
            .into_iter()
            .map(|(begin, runs)| DrillReport::of(&begin.component, begin.fault, runs, &begin.budgets))
            .collect();
        Self {
            torn: read.torn,
            ..Self::of(&read.header, path, drills)
        }
    }

    /// Of all drills of a call.
    #[must_use]
    pub fn of(header: &Header, ledger: &str, drills: Vec<DrillReport>) -> Self {
        let passed = drills.iter().all(|drill| drill.failures.is_empty());
        Self {
            schema: SCHEMA.to_owned(),
            platform: header.platform.clone(),
            target: header.target.clone(),
            seed: header.seed,
            result: if passed { Verdict::Passed } else { Verdict::Failed },
            error: None,
            ledger: ledger.to_owned(),
            torn: false,
            circumstances: header.circumstances.clone(),
            drills,
        }
    }
}

impl CampaignReport {
    /// Says that the call ended before everything was done, and why.
    pub fn broke_off(&mut self, error: &DrillError) {
        let kind = match error {
            DrillError::Interrupted => BrokenKind::Interrupted,
            DrillError::NotRecovered { .. } | DrillError::NotServed { .. } => BrokenKind::NotRecovered,
            DrillError::Usage(_)
            | DrillError::Unhealthy(_)
            | DrillError::Target(_)
            | DrillError::Clients(_)
            | DrillError::Ledger(_)
            | DrillError::Flush(_)
            | DrillError::NoMember { .. }
            | DrillError::NotInjected(_)
            | DrillError::Unjudged
            | DrillError::NotWhole(_)
            | DrillError::NotHealed(_)
            | DrillError::NotWholeAfterHealing(_) => BrokenKind::Failed,
        };
        self.result = match kind {
            BrokenKind::Interrupted => Verdict::Interrupted,
            BrokenKind::NotRecovered | BrokenKind::Failed => Verdict::Failed,
        };
        self.error = Some(Broken {
            kind,
            message: explained(error),
        });
    }
}

fn unjudged(begin: &Begin, entries: &[Entry]) -> RunReport {
    let of_run: Vec<&Entry> = entries.iter().filter(|entry| entry.run == begin.run).collect();
    let mut stores: Vec<Store> = of_run.iter().map(|entry| entry.store).collect();
    stores.sort_unstable();
    stores.dedup();
    let report = |store: Store| {
        let entries: Vec<&Entry> = of_run.iter().filter(|entry| entry.store == store).copied().collect();
        StoreReport::of(store, &entries, None, begin.at)
    };
    let stores = stores.into_iter().map(report).collect();
    RunReport::of(begin.run, begin.members.clone(), None, stores)
}

/// Each phase over those that tell it.
fn phases(all: impl Iterator<Item = Phases>) -> PhaseSpreads {
    let all: Vec<Phases> = all.collect();
    let of = |phase: fn(&Phases) -> Option<u64>| spread(all.iter().filter_map(phase).map(Some));
    PhaseSpreads {
        detection_ms: of(|phases| phases.detection_ms),
        election_ms: of(|phases| phases.election_ms),
        promotion_ms: of(|phases| phases.promotion_ms),
        rerouting_ms: of(|phases| phases.rerouting_ms),
    }
}

fn spread(times: impl Iterator<Item = Option<u64>>) -> Option<Spread> {
    let mut times: Vec<u64> = times.collect::<Option<_>>()?;
    times.sort_unstable();
    Some(Spread {
        p50: percentile(&times, 50)?,
        p95: percentile(&times, 95)?,
        max: times.last().copied()?,
    })
}

#[cfg(test)]
mod tests {
    use super::{CampaignReport, DrillReport, FailureKind};
    use crate::fault::Fault;
    use crate::judge::Found;
    use crate::ledger::Read;
    use crate::record::{Begin, Budget, Entry, Header, Outcome, Phases, RunReport, StoreReport};
    use crate::store::Store;

    fn entries(store: Store, times: &[u64]) -> Vec<Entry> {
        let entry = |(id, at): (u64, &u64)| Entry {
            run: 1,
            store,
            id,
            writer: 0,
            begun: *at,
            ended: *at,
            outcome: Outcome::Acknowledged,
        };
        (0_u64..).zip(times).map(entry).collect()
    }

    fn run(store: Store, times: &[u64], ids: &[u64]) -> RunReport {
        let entries = entries(store, times);
        let found = Found {
            ids: ids.to_vec(),
            ordered: false,
        };
        let report = StoreReport::of(store, &entries.iter().collect::<Vec<_>>(), Some(&found), 1000);
        RunReport::of(1, vec!["postgres-1".to_owned()], Some(9), vec![report])
    }

    /// What people read.
    fn told(drill: &DrillReport) -> Vec<String> {
        drill.failures.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_loss_fails_a_drill_where_nothing_may_be_lost() {
        let drill = |store, runs| DrillReport::of(&"x".into(), Fault::Kill, runs, &[Budget { store, ms: 2000 }]);
        let fine = drill(Store::Postgres, vec![run(Store::Postgres, &[900, 2000], &[0, 1])]);
        assert!(fine.failures.is_empty(), "{:?}", fine.failures);
        assert_eq!(fine.rto_ms.map(|spread| spread.max), Some(1100));
        let lost = drill(Store::Postgres, vec![run(Store::Postgres, &[900, 2000], &[0])]);
        assert_eq!(
            told(&lost),
            ["run 1: postgres: 1 acknowledged writes are missing (ids 1)"]
        );
        let kind = FailureKind::Lost { count: 1, ids: vec![1] };
        assert_eq!((&lost.failures[0].kind, lost.failures[0].run), (&kind, Some(1)));
        let redis = drill(Store::Redis, vec![run(Store::Redis, &[900, 2000], &[0])]);
        assert!(redis.failures.is_empty() && redis.runs[0].lost == Some(1));
    }

    #[test]
    fn a_budget_that_is_exceeded_or_never_met_fails_a_drill() {
        let budget = [Budget {
            store: Store::Postgres,
            ms: 1000,
        }];
        let slow = DrillReport::of(
            &"x".into(),
            Fault::Kill,
            vec![run(Store::Postgres, &[900, 2000], &[0, 1])],
            &budget,
        );
        assert_eq!(
            told(&slow),
            ["postgres: p95 of the recovery is 1100 ms, its budget for kill is 1000 ms"]
        );
        let never = DrillReport::of(
            &"x".into(),
            Fault::Kill,
            vec![run(Store::Postgres, &[900], &[0])],
            &budget,
        );
        assert_eq!(told(&never), ["run 1: postgres: a writer was not acknowledged again"]);
        assert_eq!(never.rto_ms, None);
    }

    #[test]
    fn a_users_request_that_failed_is_no_matter_of_time() {
        let mut run = run(Store::Requests, &[900, 1010], &[]);
        run.stores[0].failed = 3;
        let of = |fault| DrillReport::of(&"auth-service".into(), fault, vec![run.clone()], &[]);
        let killed = of(Fault::Kill);
        assert_eq!(told(&killed), ["requests: 3 failed, its budget for kill is none"]);
        let fault = Fault::Kill;
        assert_eq!(
            killed.failures[0].kind,
            FailureKind::RequestsFailed { failed: 3, fault }
        );
        assert_eq!(killed.failures[0].store, Some(Store::Requests));
        // Whoever is frozen answers nobody for a while.
        assert!(of(Fault::Stop).failures.is_empty());
    }

    #[test]
    fn a_platform_that_is_not_whole_again_fails_its_drill_also_when_its_ledger_is_read() {
        let amiss = RunReport {
            not_whole: Some("after 120 s still: redis".to_owned()),
            ..run(Store::Redis, &[900, 2000], &[0, 1])
        };
        let drill = DrillReport::of(&"redis".into(), Fault::Kill, vec![amiss], &[]);
        let sentence = "run 1 did not become whole again: after 120 s still: redis";
        assert_eq!(told(&drill), [sentence]);
        assert_eq!(drill.failures[0].store, None);
    }

    #[test]
    fn programs_read_a_failure_by_its_kind_and_figures() {
        let run = run(Store::Postgres, &[900, 2000], &[0]);
        let drill = DrillReport::of(&"postgres".into(), Fault::Kill, vec![run], &[]);
        let json = serde_json::to_value(&drill.failures).unwrap_or_default();
        let wanted = serde_json::json!([{
            "kind": "lost", "count": 1, "ids": [1], "component": "postgres", "store": "postgres", "run": 1,
            "message": "run 1: postgres: 1 acknowledged writes are missing (ids 1)",
        }]);
        assert_eq!(json, wanted);
        assert_eq!(serde_json::from_value(json).ok(), Some(drill.failures));
    }

    #[test]
    fn a_phase_counts_over_the_runs_that_tell_it() {
        let told = |detection_ms| {
            let mut run = run(Store::Postgres, &[900, 2000], &[0, 1]);
            run.stores[0].phases = Some(Phases {
                detection_ms,
                ..Phases::default()
            });
            run
        };
        let runs = vec![told(Some(700)), told(None), told(Some(900))];
        let phases = DrillReport::of(&"x".into(), Fault::Kill, runs, &[]).stores[0].phases;
        let spread = phases.detection_ms.map(|spread| (spread.p50, spread.max));
        assert_eq!((spread, phases.election_ms), (Some((700, 900)), None));
    }

    #[test]
    fn a_ledger_without_a_verdict_tells_what_the_clients_knew() {
        let read = Read {
            begins: vec![Begin {
                run: 1,
                component: "kafka".into(),
                fault: Fault::Stop,
                members: vec!["kafka-2".to_owned()],
                at: 1000,
                budgets: Vec::new(),
            }],
            entries: entries(Store::Kafka, &[900, 950, 4000]),
            torn: true,
            ..Read::of(Header::new("nova", "kubernetes", 5, None))
        };
        let report = CampaignReport::from_ledger(&read, "x");
        let run = &report.drills[0].runs[0];
        assert_eq!((run.rto_ms, run.lost, run.acknowledged), (Some(3050), None, 3));
        assert!(report.torn);
        assert_eq!((report.target.as_str(), report.seed), ("kubernetes", 5));
    }
}
