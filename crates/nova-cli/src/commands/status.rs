//! `nova status`: the platform on one screen, within a second.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nova_platform::checks::Depth;
use nova_platform::status::{StatusReport, Verdict, component_status, endpoint_reports};

use super::Session;
use super::place::Place;
use crate::cli::{Format, Status, TargetKind};
use crate::exit::Exit;
use crate::output::{Output, status_text};

/// Time that each look at a component may take; what does not answer by then is shown as not answering.
const LIMIT: Duration = Duration::from_millis(800);
/// Pause between two screens of `--watch`.
const WATCH_EVERY: Duration = Duration::from_secs(2);
/// Pause between two looks of `--wait`.
const WAIT_EVERY: Duration = Duration::from_millis(300);

pub(super) async fn run(session: &Session, args: &Status) -> anyhow::Result<Exit> {
    let begin = tokio::time::Instant::now();
    loop {
        let report = match session.deployed().await? {
            Some(place) => look(session, &place).await?,
            None => return print_absent(session),
        };
        let over = report.verdict == Verdict::Healthy || begin.elapsed() >= args.timeout;
        if !args.wait || over {
            if args.watch && session.output.format == Format::Text {
                print!("\x1b[2J\x1b[H");
            }
            print(session, &report)?;
        }
        if !args.watch && (!args.wait || over) {
            return Ok(match report.verdict {
                Verdict::Healthy => Exit::Done,
                _ if args.wait => Exit::TimedOut,
                _ => Exit::Unhealthy,
            });
        }
        tokio::select! {
            () = tokio::time::sleep(if args.watch { WATCH_EVERY } else { WAIT_EVERY }) => {}
            _ = tokio::signal::ctrl_c() => return Ok(Exit::Interrupted),
        }
    }
}

/// Says that nothing was deployed.
pub(super) fn print_absent(session: &Session) -> anyhow::Result<Exit> {
    let report = StatusReport::absent(session.name(), session.kind.name());
    if session.output.format == Format::Json {
        Output::json(&report)?;
    } else {
        println!(
            "absent: nothing of platform {} is deployed {}; ./nova deploy{} brings it up",
            session.name(),
            match session.kind {
                TargetKind::Local => "here",
                TargetKind::Kubernetes => "in this cluster",
            },
            match session.kind {
                TargetKind::Local => "",
                TargetKind::Kubernetes => " --target kubernetes",
            }
        );
    }
    Ok(Exit::Unhealthy)
}

fn print(session: &Session, report: &StatusReport) -> anyhow::Result<()> {
    if session.output.format == Format::Json {
        return Output::json(report);
    }
    print!("{}", status_text(report, session.output));
    Ok(())
}

/// Looks at everything at once.
async fn look(session: &Session, place: &Place) -> anyhow::Result<StatusReport> {
    let looked = place
        .look(session, Depth::Status, LIMIT, session.output.verbose)
        .await?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    let (members, endpoints) = (looked.members, looked.endpoints);
    let components = looked.components.iter().zip(looked.found);
    let components = components.map(|(component, (results, roles))| {
        let endpoints = endpoint_reports(&component.id, &endpoints);
        component_status(component, &members, &roles, results, endpoints, now_ms)
    });
    Ok(StatusReport::of(
        session.name(),
        session.kind.name(),
        components.collect(),
    ))
}
