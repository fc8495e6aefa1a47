//! The page's tables: the summary, a line a store and fault, and the runs, a line a run and store.

use std::fmt::Write as _;

use super::text::{Text, of_count, of_time, whom};
use crate::record::StoreReport;
use crate::report::{CampaignReport, DrillReport, Spread, StoreSummary};

/// Every store of every drill against its budget.
pub(super) fn summary(report: &CampaignReport) -> String {
    let headings = [
        "component",
        "fault",
        "store",
        "runs",
        "RTO p50",
        "p95",
        "max",
        "budget",
        "verdict",
        "lost",
        "unknown",
        "rejoined p95",
    ];
    let mut text = begin("Summary", &headings);
    for drill in &report.drills {
        for store in &drill.stores {
            text.push_str(&line(drill, store));
        }
    }
    text.push_str(END);
    text
}

fn line(drill: &DrillReport, summary: &StoreSummary) -> String {
    let reports: Vec<&StoreReport> = drill
        .runs
        .iter()
        .flat_map(|run| &run.stores)
        .filter(|report| report.store == summary.store)
        .collect();
    let lost: Option<u64> = reports.iter().map(|report| report.lost).sum();
    let unknown: u64 = reports.iter().map(|report| report.unknown).sum();
    let of = |part: fn(&Spread) -> u64| of_time(summary.rto_ms.as_ref().map(part));
    let (class, verdict) = match summary.is_within_budget() {
        Some(true) => ("good", "met"),
        Some(false) => ("bad", "exceeded"),
        None => ("", "no budget"),
    };
    let is_loss = lost.is_some_and(|lost| lost > 0);
    let mut text = format!("<tr><th scope=\"row\">{}</th>", Text(drill.component.as_str()));
    cell(&mut text, "", &drill.fault.to_string());
    cell(&mut text, "", &summary.store.to_string());
    number(&mut text, &drill.runs.len().to_string());
    number(&mut text, &of(|spread| spread.p50));
    number(&mut text, &of(|spread| spread.p95));
    number(&mut text, &of(|spread| spread.max));
    number(&mut text, &of_time(summary.budget_ms));
    cell(&mut text, class, verdict);
    cell(
        &mut text,
        if is_loss { "number bad" } else { "number" },
        &of_count(lost),
    );
    number(&mut text, &unknown.to_string());
    number(&mut text, &of_time(drill.rejoined_ms.map(|spread| spread.p95)));
    text.push_str("</tr>\n");
    text
}

/// Every run of a drill.
pub(super) fn runs(drill: &DrillReport) -> String {
    let headings = [
        "run",
        "hit",
        "store",
        "RTO",
        "lost",
        "unknown",
        "failed",
        "acknowledged",
        "rejoined",
        "detection",
        "election",
        "promotion",
        "rerouting",
    ];
    let mut text = begin("Runs", &headings);
    for run in &drill.runs {
        for store in &run.stores {
            let _ = write!(text, "<tr><th scope=\"row\">{}</th>", run.run);
            cell(&mut text, "", &whom(&run.members));
            cell(&mut text, "", &store.store.to_string());
            number(&mut text, &of_time(store.rto_ms));
            number(&mut text, &of_count(store.lost));
            for count in [store.unknown, store.failed, store.acknowledged] {
                number(&mut text, &count.to_string());
            }
            number(&mut text, &of_time(run.rejoined_ms));
            for (_, took) in store.phases.unwrap_or_default().named() {
                number(&mut text, &of_time(took));
            }
            text.push_str("</tr>\n");
        }
    }
    text.push_str(END);
    text
}

/// Columns of words; all others hold numbers.
const WORDS: [&str; 6] = ["component", "fault", "store", "verdict", "run", "hit"];
const END: &str = "</tbody>\n</table>\n</div>\n";

/// A wide table is moved sideways for itself, so the place where it stands can be reached by the keyboard.
fn begin(label: &str, headings: &[&str]) -> String {
    let mut text =
        format!("<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"{label}\">\n<table>\n<thead>\n<tr>");
    for heading in headings {
        let class = if WORDS.contains(heading) {
            ""
        } else {
            " class=\"number\""
        };
        let _ = write!(text, "<th scope=\"col\"{class}>{heading}</th>");
    }
    text.push_str("</tr>\n</thead>\n<tbody>\n");
    text
}

fn cell(text: &mut String, class: &str, content: &str) {
    let class = if class.is_empty() {
        String::new()
    } else {
        format!(" class=\"{class}\"")
    };
    let _ = write!(text, "<td{class}>{}</td>", Text(content));
}

fn number(text: &mut String, content: &str) {
    cell(text, "number", content);
}
