//! The failure block: component, member, reason, failing checks, log lines, what was skipped, and the one next command.

use std::fmt::Write;

use nova_platform::components::names;
use nova_platform::rollout::{Failure, LogExcerpt, Reason};
use serde_json::{Value, json};

use super::guide::Section;
use super::{BOLD, DIM, Output, RED};

/// For people. `guide` is where more is said.
pub(crate) fn failure_block(failure: &Failure, next: &str, guide: Option<Section>, output: Output) -> String {
    let mut text = String::new();
    let verdict = match failure.reason {
        _ if failure.interrupted => "interrupted",
        Reason::TimedOut(_) => "timed out",
        _ => "failed",
    };
    let _ = writeln!(text, "{}", output.paint(RED, &format!("{verdict}: {failure}")));
    let _ = writeln!(text, "  component  {}", failure.component);
    if let Some(member) = &failure.member {
        let _ = writeln!(text, "  member     {member}");
    }
    let _ = writeln!(text, "  reason     {}", failure.reason);
    for (component, check) in &failure.failing {
        let _ = writeln!(
            text,
            "  check      {component}: {}: {}",
            check.name,
            check.error.as_deref().unwrap_or("failed")
        );
    }
    for event in &failure.events {
        let _ = writeln!(text, "  event      {event}");
    }
    if !failure.skipped.is_empty() {
        let _ = writeln!(text, "  skipped    {}", names(&failure.skipped));
    }
    text.push_str(&logs_block(&failure.logs, output));
    let _ = writeln!(text, "{} {next}", output.paint(BOLD, "next:"));
    if let Some(guide) = guide {
        let _ = writeln!(text, "{} {}", output.paint(BOLD, "guide:"), guide.link());
    }
    text
}

pub(super) fn logs_block(logs: &[LogExcerpt], output: Output) -> String {
    let mut text = String::new();
    for log in logs {
        let which = if log.previous { " (the start before)" } else { "" };
        let _ = writeln!(
            text,
            "{}",
            output.paint(BOLD, &format!("  last log lines of {}{which}", log.member))
        );
        for line in &log.lines {
            let _ = writeln!(text, "{}", output.paint(DIM, &format!("    {line}")));
        }
    }
    text
}

pub(super) fn logs_json(logs: &[LogExcerpt]) -> Vec<Value> {
    logs.iter()
        .map(|log| json!({"member": log.member, "previous": log.previous, "lines": log.lines}))
        .collect()
}

/// For programs.
pub(crate) fn failure_json(failure: &Failure, next: &str, guide: Option<Section>) -> Value {
    let checks: Vec<Value> = failure
        .failing
        .iter()
        .map(|(component, check)| json!({"component": component, "name": check.name, "error": check.error}))
        .collect();
    json!({
        "component": failure.component,
        "member": failure.member,
        "reason": failure.reason.to_string(),
        "interrupted": failure.interrupted,
        "failing_checks": checks,
        "events": failure.events,
        "logs": logs_json(&failure.logs),
        "skipped": failure.skipped,
        "next": next,
        "guide": guide.map(Section::link),
    })
}
