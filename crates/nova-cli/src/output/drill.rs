//! What drills found, for people: a line a run, a timeline a store, and the spread over the runs.

use std::fmt::Write as _;

use nova_drill::fault::Fault;
use nova_drill::record::RunReport;
use nova_drill::recovery_times::bars;
use nova_drill::report::{CampaignReport, Spread, Verdict};

use super::{BOLD, DIM, GREEN, Output, RED, table};

/// Says that a fault begins. Members of a whole node are many: they are counted.
pub(crate) fn fault_line(run: u32, fault: Fault, members: &[String]) -> String {
    format!("run {run}: {fault} {}", whom(members))
}

fn whom(members: &[String]) -> String {
    match members {
        [] => "watched".to_owned(),
        [one] => one.clone(),
        [first, .., last] => format!("{first} to {last} ({} members)", members.len()),
    }
}

/// One run, and each store's acknowledged operations a second.
pub(crate) fn run_text(run: &RunReport, output: Output) -> String {
    let lost = match run.lost {
        Some(0) => output.paint(GREEN, "lost 0"),
        Some(lost) => output.paint(RED, &format!("lost {lost}")),
        None => "lost not known".to_owned(),
    };
    let mut text = format!(
        "run {}: {}  RTO {}  {lost}  unknown {}  failed {}  acknowledged {}  rejoined {}\n",
        run.run,
        whom(&run.members),
        time(run.rto_ms),
        run.unknown,
        run.failed,
        run.acknowledged,
        time(run.rejoined_ms),
    );
    for store in &run.stores {
        let _ = writeln!(
            text,
            "  {:9} RTO {:8} {}",
            store.store.to_string(),
            time(store.rto_ms),
            bars(&store.timeline, store.fault_second)
        );
        let phases = store.phases.unwrap_or_default().named();
        let known: Vec<String> = phases
            .into_iter()
            .filter_map(|(name, took)| Some(format!("{name} {}", time(Some(took?)))))
            .collect();
        if !known.is_empty() {
            let _ = writeln!(text, "{:12}{}", "", output.paint(DIM, &known.join(", ")));
        }
    }
    text
}

/// What the stores' logs tell of where the time went, a line a phase; empty when they tell nothing.
fn phases_text(report: &CampaignReport, output: Output) -> String {
    let mut rows = vec![
        ["component", "fault", "store", "phase", "p50", "p95", "max"]
            .map(|heading| output.paint(BOLD, heading))
            .to_vec(),
    ];
    for drill in &report.drills {
        for store in &drill.stores {
            for (name, spread) in store.phases.named() {
                let Some(spread) = spread else { continue };
                let mut row = vec![drill.component.to_string(), drill.fault.to_string()];
                row.extend([store.store.to_string(), name.to_owned()]);
                row.extend([spread.p50, spread.p95, spread.max].map(|ms| time(Some(ms))));
                rows.push(row);
            }
        }
    }
    if rows.len() > 1 { table(&rows, 0) } else { String::new() }
}

/// Everything that was found.
pub(crate) fn drill_text(report: &CampaignReport, output: Output) -> String {
    let mut rows = vec![
        [
            "component",
            "fault",
            "store",
            "runs",
            "p50",
            "p95",
            "max",
            "budget",
            "lost",
            "unknown",
            "rejoined p95",
        ]
        .map(|heading| output.paint(BOLD, heading))
        .to_vec(),
    ];
    for drill in &report.drills {
        for store in &drill.stores {
            let of_store = || {
                drill
                    .runs
                    .iter()
                    .flat_map(|run| &run.stores)
                    .filter(|of| of.store == store.store)
            };
            let lost: Option<u64> = of_store().map(|of| of.lost).sum();
            let unknown: u64 = of_store().map(|of| of.unknown).sum();
            let spread = |of: fn(&Spread) -> u64| time(store.rto_ms.as_ref().map(of));
            rows.push(vec![
                drill.component.to_string(),
                drill.fault.to_string(),
                store.store.to_string(),
                drill.runs.len().to_string(),
                spread(|spread| spread.p50),
                spread(|spread| spread.p95),
                spread(|spread| spread.max),
                store
                    .budget_ms
                    .map_or_else(|| "-".to_owned(), |budget| time(Some(budget))),
                lost.map_or_else(|| "-".to_owned(), |lost| lost.to_string()),
                unknown.to_string(),
                time(drill.rejoined_ms.as_ref().map(|spread| spread.p95)),
            ]);
        }
    }
    let mut text = table(&rows, 0);
    text.push_str(&phases_text(report, output));
    if report.torn {
        text.push_str("the ledger's last line was cut; what it said counts as unknown\n");
    }
    for drill in &report.drills {
        for failure in &drill.failures {
            let _ = writeln!(
                text,
                "{} {} of {}: {failure}",
                output.paint(RED, "failed:"),
                drill.fault,
                drill.component
            );
        }
    }
    let style = if report.result == Verdict::Passed { GREEN } else { RED };
    let result = output.paint(style, report.result.name());
    let _ = writeln!(text, "{result}: seed {}, ledger {}", report.seed, report.ledger);
    text
}

fn time(ms: Option<u64>) -> String {
    match ms {
        None => "none".to_owned(),
        Some(ms) if ms < 1000 => format!("{ms} ms"),
        Some(ms) => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
    }
}
