//! A report as one page that needs nothing else: no script, no picture, no font from elsewhere.

mod phases;
mod tables;
mod text;
mod timeline;

use std::fmt::Write as _;

use time::OffsetDateTime;
use time::macros::format_description;

use crate::circumstances::Circumstances;
use crate::report::{CampaignReport, DrillReport};

use text::{Text, of_time, whom};

const STYLE: &str = include_str!("html/style.css");
/// A drill of more runs shows their charts only when they are opened.
const OPEN: usize = 3;

/// The whole page.
#[must_use]
pub fn page(report: &CampaignReport) -> String {
    let title = format!("Drill of platform {}: {}", report.platform, report.result.name());
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n",
        title = Text(&title)
    );
    page.push_str(&about(report));
    page.push_str(&failures(report));
    page.push_str("<h2>Summary</h2>\n");
    page.push_str(&tables::summary(report));
    for drill in &report.drills {
        page.push_str(&section(drill));
    }
    page.push_str(&settings(report.circumstances.as_ref()));
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

/// What was called, when, and on what.
fn about(report: &CampaignReport) -> String {
    let mut rows = vec![("target", report.target.clone()), ("seed", report.seed.to_string())];
    if let Some(circumstances) = &report.circumstances {
        let machine = &circumstances.machine;
        let mut told = vec![format!("{} cores", machine.cores)];
        told.extend(
            machine
                .memory_bytes
                .map(|bytes| format!("{} MiB of memory", bytes >> 20)),
        );
        told.extend(machine.kernel.clone());
        told.extend(machine.load.as_ref().map(|load| format!("load {load} before")));
        rows.push(("begun", moment(circumstances.begun)));
        rows.push(("command", circumstances.command.join(" ")));
        rows.push(("machine", told.join(", ")));
        rows.push(("nova", circumstances.version.clone()));
    }
    rows.push(("ledger", report.ledger.clone()));
    if report.torn {
        rows.push((
            "cut",
            "the ledger's last line; what it said counts as unknown".to_owned(),
        ));
    }
    let mut text = "<dl>\n".to_owned();
    for (name, value) in rows {
        let _ = writeln!(text, "<div><dt>{name}</dt><dd>{}</dd></div>", Text(&value));
    }
    text.push_str("</dl>\n");
    text
}

/// Why it did not pass.
fn failures(report: &CampaignReport) -> String {
    let mut text = String::new();
    for drill in &report.drills {
        for failure in &drill.failures {
            let whole = format!("{} of {}: {failure}", drill.fault, drill.component);
            let _ = writeln!(text, "<li>{}</li>", Text(&whole));
        }
    }
    if text.is_empty() {
        return text;
    }
    format!("<section class=\"failures\">\n<h2>Why it failed</h2>\n<ul>\n{text}</ul>\n</section>\n")
}

fn section(drill: &DrillReport) -> String {
    let mut text = format!(
        "<section>\n<h2>{} of {}</h2>\n",
        drill.fault,
        Text(drill.component.as_str())
    );
    text.push_str(&tables::runs(drill));
    text.push_str(&phases::bars(drill));
    let open = if drill.runs.len() <= OPEN { " open" } else { "" };
    for run in &drill.runs {
        let members = whom(&run.members);
        let _ = writeln!(
            text,
            "<details{open}>\n<summary>Run {}: {}, RTO {}</summary>\n<div class=\"charts\">",
            run.run,
            Text(&members),
            of_time(run.rto_ms)
        );
        for store in &run.stores {
            text.push_str(&timeline::chart(run.run, store));
        }
        text.push_str("</div>\n</details>\n");
    }
    text.push_str("</section>\n");
    text
}

fn settings(circumstances: Option<&Circumstances>) -> String {
    let Some(circumstances) = circumstances else {
        return String::new();
    };
    let mut text = "<details>\n<summary>Settings of nova.toml that decide</summary>\n<table>\n<tbody>\n".to_owned();
    for (key, value) in &circumstances.settings {
        let _ = writeln!(
            text,
            "<tr><th scope=\"row\">{}</th><td>{}</td></tr>",
            Text(key),
            Text(value)
        );
    }
    text.push_str("</tbody>\n</table>\n</details>\n");
    text
}

fn moment(ms: u64) -> String {
    let seconds = i64::try_from(ms / 1000).unwrap_or_default();
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    let at = OffsetDateTime::from_unix_timestamp(seconds).ok();
    at.and_then(|at| at.format(format).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
