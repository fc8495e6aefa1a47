//! `nova cleanup`: removes what deploy made, and says so only after looking.

use std::io::{IsTerminal, Write};

use anyhow::{Context, bail};
use nova_local::target::LocalTarget;
use nova_platform::target::{Removal, Target};

use super::{Session, deploy, whereabouts};
use crate::cli::{Cleanup, Format, TargetKind};
use crate::exit::Exit;
use crate::output::{GREEN, Output, RED};

pub(super) async fn run(session: &Session, args: &Cleanup) -> anyhow::Result<Exit> {
    match session.kind {
        TargetKind::Local => here(session, args).await,
        TargetKind::Kubernetes => in_cluster(session, args).await,
    }
}

async fn here(session: &Session, args: &Cleanup) -> anyhow::Result<Exit> {
    let target = LocalTarget::open(session.spec())?;
    if !target.strays()?.is_empty() {
        return strays(session, &target).await;
    }
    if !target.has_state()? {
        return print_nothing(session, "here");
    }
    if args.data && !args.yes && !confirmed(session)? {
        eprintln!("nothing was removed");
        return Ok(Exit::Failed);
    }
    let _lock = target.lock_existing("cleanup")?;
    let removal = target.remove(args.data).await.context("cannot remove the platform")?;
    let data = removal
        .data
        .as_ref()
        .map(|data| format!("; data and secrets stay in {data}"));
    print(
        session,
        &removal,
        "no process and no port left",
        &data.unwrap_or_default(),
    )
}

/// The state directory was removed under the running platform. There is nothing to confirm: what is there is moved, not deleted.
async fn strays(session: &Session, target: &LocalTarget) -> anyhow::Result<Exit> {
    let removal = target
        .remove_strays()
        .await
        .context("cannot end what runs without its state directory")?;
    if session.output.format == Format::Text && removal.left.is_empty() {
        println!(
            "{} {} processes that ran without their state directory{}",
            session.output.paint(GREEN, "ended:"),
            removal.members,
            removal
                .data
                .as_ref()
                .map(|aside| format!("; what they had written is in {aside}: look at it, then remove it"))
                .unwrap_or_default()
        );
        return Ok(Exit::Done);
    }
    print(session, &removal, "", "")
}

async fn in_cluster(session: &Session, args: &Cleanup) -> anyhow::Result<Exit> {
    let target = session.in_cluster().await?;
    let cluster = target.cluster();
    eprintln!("context {}, API server {}", cluster.context, cluster.server);
    if !target.has_state().await? {
        whereabouts::remember(session.name(), TargetKind::Local);
        return print_nothing(session, "in this cluster");
    }
    if !args.yes && !deploy::may_touch(cluster)? || args.data && !args.yes && !confirmed(session)? {
        eprintln!("nothing was removed");
        return Ok(Exit::Failed);
    }
    let lock = target.lock_if_there("cleanup").await?;
    let removal = target.remove(args.data).await.context("cannot remove the platform");
    if let Some(lock) = lock {
        lock.release().await;
    }
    let removal = removal?;
    if args.data && removal.left.is_empty() {
        whereabouts::remember(session.name(), TargetKind::Local);
    }
    let data = removal.data.as_ref().map(|data| format!("; what stays: {data}"));
    print(session, &removal, "no object left", &data.unwrap_or_default())
}

fn print_nothing(session: &Session, place: &str) -> anyhow::Result<Exit> {
    if session.output.format == Format::Json {
        Output::json(&serde_json::json!({"schema": "nova.cleanup/v1", "members": 0, "left": [], "data": null}))?;
    } else {
        println!("nothing of platform {} is {place}", session.name());
    }
    Ok(Exit::Done)
}

fn print(session: &Session, removal: &Removal, gone: &str, data: &str) -> anyhow::Result<Exit> {
    let output = session.output;
    if output.format == Format::Json {
        Output::json(&serde_json::json!({
            "schema": "nova.cleanup/v1", "members": removal.members, "left": removal.left, "data": removal.data,
        }))?;
    } else if removal.left.is_empty() {
        println!(
            "{} {} members ended, {gone}{data}",
            output.paint(GREEN, "removed:"),
            removal.members
        );
    } else {
        for left in &removal.left {
            println!("{} {left}", output.paint(RED, "left behind:"));
        }
    }
    Ok(if removal.left.is_empty() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

/// Data is deleted only after its platform's name was typed.
fn confirmed(session: &Session) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!(
            "this deletes all data of platform {}: pass --yes to confirm it without a terminal",
            session.name()
        );
    }
    eprint!(
        "this deletes all data of platform {0}; type {0} to confirm: ",
        session.name()
    );
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(answer.trim() == session.name())
}
