//! The status report as one screen of text.

use nova_platform::status::{ComponentStatus, MemberReport, StatusReport, Verdict};
use nova_platform::target::RunState;

use super::{BOLD, DIM, GREEN, Output, RED, YELLOW, age, mebibytes, table};

/// The whole report.
pub(crate) fn status_text(report: &StatusReport, output: Output) -> String {
    let mut text = format!(
        "{} platform {} on {}\n",
        verdict(report.verdict, output),
        output.paint(BOLD, &report.platform),
        report.target
    );
    let rows: Vec<Vec<String>> = report
        .components
        .iter()
        .flat_map(|component| component_rows(component, output))
        .collect();
    text.push_str(&table(&rows, 0));
    let failing: Vec<Vec<String>> = report
        .components
        .iter()
        .flat_map(|component| check_rows(component, output))
        .collect();
    if !failing.is_empty() {
        text.push('\n');
        text.push_str(&table(&failing, 0));
    }
    if output.verbose
        && let Some(bytes) = report.memory_bytes()
    {
        text.push_str(&format!("\nmemory of all members together: {}\n", mebibytes(bytes)));
    }
    text
}

fn component_rows(component: &ComponentStatus, output: Output) -> Vec<Vec<String>> {
    let endpoints: Vec<&str> = component
        .endpoints
        .iter()
        .map(|endpoint| endpoint.url.as_str())
        .collect();
    let mut rows = vec![vec![
        verdict(component.verdict, output),
        output.paint(BOLD, component.name.as_str()),
        endpoints.join("  "),
    ]];
    rows.extend(component.members.iter().map(|member| member_row(member, output)));
    rows
}

fn member_row(member: &MemberReport, output: Output) -> Vec<String> {
    let state = format!("{:?}", member.state).to_lowercase();
    let style = match member.state {
        RunState::Running => GREEN,
        RunState::Backoff | RunState::Unreachable => YELLOW,
        RunState::Stopped | RunState::Failed => RED,
    };
    let mut facts = vec![member.node.clone()];
    facts.extend(member.role.clone());
    facts.extend(
        member
            .lag_bytes
            .filter(|lag| *lag > 0)
            .map(|lag| format!("lag {lag} B")),
    );
    facts.extend(member.age_seconds.map(|seconds| format!("up {}", age(seconds))));
    if member.restarts > 0 {
        let exit = member
            .last_exit
            .as_deref()
            .map(|exit| format!(", last end: {exit}"))
            .unwrap_or_default();
        facts.push(format!("{} restarts{exit}", member.restarts));
    } else if member.state != RunState::Running {
        facts.extend(member.last_exit.as_ref().map(|exit| format!("last end: {exit}")));
    }
    if output.verbose {
        facts.extend(member.pid.map(|pid| format!("pid {pid}")));
        facts.extend(member.memory_bytes.map(mebibytes));
    }
    vec![
        format!("  {}", output.paint(style, &state)),
        member.name.clone(),
        facts.join(", "),
    ]
}

/// Failing checks, and all of them when more detail is wanted.
fn check_rows(component: &ComponentStatus, output: Output) -> Vec<Vec<String>> {
    let shown = component.checks.iter().filter(|check| output.verbose || !check.ok);
    shown
        .map(|check| {
            let (style, word) = if check.ok { (DIM, "passed") } else { (RED, "failing") };
            let found = check.error.clone().unwrap_or_else(|| format!("{:.1} ms", check.ms));
            vec![
                output.paint(style, word),
                component.name.to_string(),
                check.name.clone(),
                found,
            ]
        })
        .collect()
}

fn verdict(verdict: Verdict, output: Output) -> String {
    let style = match verdict {
        Verdict::Healthy => GREEN,
        Verdict::Degraded => YELLOW,
        Verdict::Down | Verdict::Absent => RED,
    };
    output.paint(style, &format!("{verdict:?}").to_lowercase())
}
