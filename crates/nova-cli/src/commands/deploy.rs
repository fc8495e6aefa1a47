//! `nova deploy`: plan, rollout, and the addresses of what works at its end.

mod kubernetes;

use std::time::Duration;

use anyhow::Context;
use nova_local::target::LocalTarget;
use nova_platform::components::{ComponentId, facts};
use nova_platform::endpoints::Endpoints;
use nova_platform::rollout::{Failure, Outcome, Prober, Reason, critical_chain, rollout};
use nova_platform::status::endpoint_reports;
use nova_platform::target::{Action, Plan, Target};
use nova_platform::topology::{Component, components};
use nova_platform::transition::{Change, Deployed};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::settings::Transition;
use super::{Session, diff, doctor, whereabouts};
use crate::cli::{Deploy, Format, TargetKind};
use crate::exit::Exit;
use crate::output::guide::Section;
use crate::output::{
    BOLD, GREEN, Output, YELLOW, degraded_block, degraded_json, failure_block, failure_json, seconds, table,
};
use crate::progress;

pub(super) use kubernetes::may_touch;

pub(super) async fn run(session: &Session, args: &Deploy) -> anyhow::Result<Exit> {
    let exit = match session.kind {
        TargetKind::Local => here(session, args).await?,
        TargetKind::Kubernetes => kubernetes::run(session, args).await?,
    };
    Ok(exit)
}

async fn here(session: &Session, args: &Deploy) -> anyhow::Result<Exit> {
    doctor::require(session, args.yes)?;
    let target = session.target()?;
    let _lock = target.lock("deploy")?;
    let settings = Transition::here(session, &target)?;
    show(session, &settings.text());
    settings.refuse(session)?;
    whereabouts::remember(session.name(), session.kind);
    target.prepare().await?;
    let plan = target.plan().await?;
    show_plan(session, &plan);
    target.note_deployed(&settings.begun(session))?;

    let cancel = CancellationToken::new();
    let watcher = tokio::spawn(end_on_signal(cancel.clone()));
    let result = async {
        prune(&target, &plan).await?;
        let checks = session.checks(&target)?;
        let components = components(session.spec());
        bring_up(session, &target, &checks, &components, &plan, cancel, args.timeout).await
    };
    let result = result.await;
    watcher.abort();
    match result? {
        Ok(outcome) => {
            target.note_deployed(&Deployed::ended(session.spec()))?;
            let ending = Ending {
                endpoints: target.endpoints(),
                ways: Vec::new(),
                shells: shells(&target),
                settings: settings.changes,
            };
            report_success(session, &ending, &plan, &outcome)
        }
        Err(failure) => report_failure(session, &failure),
    }
}

/// What a deploy ends with, beside what it did.
struct Ending {
    endpoints: Endpoints,
    /// How to come to the addresses from this machine, where they are not reachable at once: what, and the command.
    ways: Vec<Vec<String>>,
    /// How to get a shell on each store: which, and the command.
    shells: Vec<Vec<String>>,
    /// What was described otherwise before.
    settings: Vec<Change>,
}

fn show_plan(session: &Session, plan: &Plan) {
    show(session, &diff::plan_text(plan, session.kind));
}

fn show(session: &Session, text: &str) {
    if session.output.format == Format::Text {
        eprint!("{text}");
    }
}

async fn prune<T: Target>(target: &T, plan: &Plan) -> anyhow::Result<()> {
    if plan.count(Action::Delete) > 0 {
        let pruned = target.prune().await;
        pruned.context("cannot remove what nova.toml no longer has")?;
    }
    Ok(())
}

/// Brings these components up and shows how it goes.
pub(super) async fn bring_up<T: Target, P: Prober>(
    session: &Session,
    target: &T,
    prober: &P,
    components: &[Component],
    plan: &Plan,
    cancel: CancellationToken,
    timeout: Duration,
) -> anyhow::Result<Result<Outcome, Box<Failure>>> {
    let (events, receiver) = mpsc::unbounded_channel();
    let shown = tokio::spawn(progress::show(receiver, session.output));
    let result = rollout(target, prober, components, plan, events, cancel, timeout).await;
    shown.await?;
    Ok(result)
}

/// The first signal ends the rollout in good order, the second one ends the command.
async fn end_on_signal(cancel: CancellationToken) {
    let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) else {
        return;
    };
    let mut signals = 0;
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        signals += 1;
        if signals > 1 {
            std::process::exit(Exit::Interrupted as i32);
        }
        eprintln!("interrupted: nothing new is started; once more to end at once");
        cancel.cancel();
    }
}

fn report_success(session: &Session, ending: &Ending, plan: &Plan, outcome: &Outcome) -> anyhow::Result<Exit> {
    let output = session.output;
    let unchanged = plan.is_unchanged() && outcome.prepared.is_empty() && ending.settings.is_empty();
    let endpoints = &ending.endpoints;
    let chain = critical_chain(&outcome.timings);
    let (verdict, exit) = match unchanged {
        _ if !outcome.degraded.is_empty() => ("degraded", Exit::Unhealthy),
        true => ("unchanged", Exit::Done),
        false => ("deployed", Exit::Done),
    };
    if output.format == Format::Json {
        let addresses: serde_json::Map<String, serde_json::Value> = components(session.spec())
            .iter()
            .map(|component| {
                (
                    component.id.to_string(),
                    serde_json::json!(endpoint_reports(&component.id, endpoints)),
                )
            })
            .collect();
        let timings: Vec<_> = outcome
            .timings
            .iter()
            .map(|t| serde_json::json!({"name": t.name, "started_ms": t.started.as_millis(), "finished_ms": t.finished.as_millis()}))
            .collect();
        let degraded: Vec<_> = outcome.degraded.iter().map(degraded_json).collect();
        Output::json(&serde_json::json!({
            "schema": "nova.deploy/v1",
            "result": verdict,
            "degraded": degraded,
            "total_ms": outcome.total.as_millis(),
            "plan": plan.steps,
            "settings": ending.settings,
            "made": outcome.prepared,
            "components": timings,
            "slowest_chain": chain.iter().map(|timing| timing.name.as_str()).collect::<Vec<_>>(),
            "endpoints": addresses,
        }))?;
        return Ok(exit);
    }
    if outcome.degraded.is_empty() {
        println!(
            "{} platform {} is healthy, all checks passed in {}",
            output.paint(GREEN, &format!("{verdict}:")),
            output.paint(BOLD, session.name()),
            seconds(outcome.total)
        );
    } else {
        println!(
            "{} platform {} is as described and serves, and is not whole after {}",
            output.paint(YELLOW, "degraded:"),
            output.paint(BOLD, session.name()),
            seconds(outcome.total)
        );
        for degraded in &outcome.degraded {
            print!("{}", degraded_block(degraded, output));
        }
    }
    let mut rows = Vec::new();
    for component in components(session.spec()) {
        for endpoint in endpoint_reports(&component.id, endpoints) {
            rows.push(vec![component.id.to_string(), endpoint.name, endpoint.url]);
        }
    }
    println!("\n{}\n{}", output.paint(BOLD, "addresses"), table(&rows, 2).trim_end());
    for (title, rows) in [("from here", &ending.ways), ("shells", &ending.shells)] {
        if !rows.is_empty() {
            println!("\n{}\n{}", output.paint(BOLD, title), table(rows, 2).trim_end());
        }
    }
    let mut timings: Vec<_> = outcome.timings.iter().collect();
    timings.sort_by_key(|timing| timing.finished);
    let rows: Vec<Vec<String>> = timings
        .iter()
        .map(|timing| {
            let took = seconds(timing.finished.saturating_sub(timing.started));
            vec![
                timing.name.to_string(),
                took,
                format!("healthy at {}", seconds(timing.finished)),
            ]
        })
        .collect();
    println!("\n{}\n{}", output.paint(BOLD, "times"), table(&rows, 2).trim_end());
    let links: Vec<String> = chain
        .iter()
        .map(|timing| {
            format!(
                "{} {}",
                timing.name,
                seconds(timing.finished.saturating_sub(timing.started))
            )
        })
        .collect();
    println!("  slowest chain: {} = {}", links.join(" + "), seconds(outcome.total));
    Ok(exit)
}

/// How to get a shell on each store.
fn shells(target: &LocalTarget) -> Vec<Vec<String>> {
    let endpoints = target.endpoints();
    let row = |id: &ComponentId| Some(vec![id.to_string(), (facts(id).shell?.here)(&endpoints)]);
    ComponentId::OWN.iter().filter_map(row).collect()
}

fn report_failure(session: &Session, failure: &Failure) -> anyhow::Result<Exit> {
    let next = if failure.interrupted {
        "./nova deploy resumes; ./nova cleanup removes what was started".to_owned()
    } else {
        let of = failure.member.as_deref().unwrap_or(failure.component.as_str());
        format!("./nova logs {of} shows more; ./nova deploy goes on where this ended")
    };
    let guide = match session.kind {
        TargetKind::Local => None,
        TargetKind::Kubernetes => Section::of_rollout(failure),
    };
    if session.output.format == Format::Json {
        let result = if failure.interrupted { "interrupted" } else { "failed" };
        Output::json(
            &serde_json::json!({"schema": "nova.deploy/v1", "result": result, "failure": failure_json(failure, &next, guide)}),
        )?;
    }
    eprint!("{}", failure_block(failure, &next, guide, session.output));
    Ok(match failure.reason {
        _ if failure.interrupted => Exit::Interrupted,
        Reason::TimedOut(_) => Exit::TimedOut,
        _ => Exit::Failed,
    })
}
