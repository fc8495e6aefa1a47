//! `nova doctor`: what this machine lacks, and its installation.

pub(super) mod cluster;

use std::collections::BTreeMap;

use anyhow::Context;
use nova_local::doctor::{self, Missing, Report};
use nova_local::target::Tools;

use super::Session;
use crate::cli::{Doctor, Format, TargetKind};
use crate::exit::Exit;
use crate::output::{GREEN, Output, RED, table};

pub(super) async fn run(session: &Session, args: &Doctor) -> anyhow::Result<Exit> {
    if session.kind == TargetKind::Kubernetes {
        return cluster::run(session).await;
    }
    if args.install {
        install(session)?;
    }
    let report = doctor::inspect(session.spec());
    if session.output.format == Format::Json {
        Output::json(&serde_json::json!({
            "schema": "nova.doctor/v1", "ok": report.missing().is_none(), "findings": report.findings,
        }))?;
    } else {
        print!("{}", report_text(&report, session.output));
    }
    Ok(if report.missing().is_none() {
        Exit::Done
    } else {
        Exit::Prerequisites
    })
}

/// Makes sure that a deploy can work here: installs what is missing when that was agreed to, and names it otherwise.
pub(super) fn require(session: &Session, install_missing: bool) -> anyhow::Result<()> {
    match doctor::inspect(session.spec()).missing() {
        None => Ok(()),
        Some(_) if install_missing => install(session),
        Some(missing) => Err(missing.into()),
    }
}

/// The programs that a deploy starts: the data tier's as installed, our own from beside this one.
pub(super) fn tools(session: &Session) -> anyhow::Result<Tools> {
    let report = doctor::inspect(session.spec());
    if let Some(missing) = report.missing() {
        return Err(missing.into());
    }
    let programs = report.programs.context("the machine's programs were not found")?;
    let nova = std::env::current_exe().context("cannot find the nova program itself")?;
    let services: BTreeMap<_, _> = session
        .spec()
        .services
        .keys()
        .map(|name| (name.clone(), nova.with_file_name(name)))
        .collect();
    Ok(Tools {
        programs,
        nova,
        services,
    })
}

fn install(session: &Session) -> anyhow::Result<()> {
    doctor::install(session.spec(), &mut |line| eprintln!("{line}"))?;
    match doctor::inspect(session.spec()).missing() {
        None => Ok(()),
        Some(missing) => Err(anyhow::Error::new(missing).context("after the installation something is still missing")),
    }
}

fn report_text(report: &Report, output: Output) -> String {
    let rows: Vec<Vec<String>> = report
        .findings
        .iter()
        .map(|finding| {
            let (style, word) = if finding.ok { (GREEN, "ok") } else { (RED, "missing") };
            let found = finding.found.clone().unwrap_or_else(|| "not found".to_owned());
            let mut row = vec![output.paint(style, word), finding.name.clone(), found];
            if !finding.ok {
                row.push(format!(
                    "wanted {}: {}; {}",
                    finding.wanted, finding.why, finding.install
                ));
            }
            row
        })
        .collect();
    let mut text = table(&rows, 0);
    if let Some(Missing { .. }) = report.missing() {
        text.push_str("next: ./nova doctor --install\n");
    }
    text
}
