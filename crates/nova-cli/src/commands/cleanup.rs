//! `nova cleanup`: removes what deploy made, and says so only after looking.

use std::io::{IsTerminal, Write};

use anyhow::{Context, bail};
use nova_local::target::LocalTarget;
use nova_platform::target::Target;

use super::Session;
use crate::cli::{Cleanup, Format};
use crate::exit::Exit;
use crate::output::{GREEN, Output, RED};

pub(super) async fn run(session: &Session, args: &Cleanup) -> anyhow::Result<Exit> {
    let output = session.output;
    let target = LocalTarget::open(session.spec())?;
    if !target.has_state()? {
        if output.format == Format::Json {
            Output::json(&serde_json::json!({"schema": "nova.cleanup/v1", "members": 0, "left": [], "data": null}))?;
        } else {
            println!("nothing of platform {} is here", session.name());
        }
        return Ok(Exit::Done);
    }
    if args.data && !args.yes && !confirmed(session)? {
        eprintln!("nothing was removed");
        return Ok(Exit::Failed);
    }
    let _lock = target.lock_existing("cleanup")?;
    let removal = target.remove(args.data).await.context("cannot remove the platform")?;
    if output.format == Format::Json {
        Output::json(&serde_json::json!({
            "schema": "nova.cleanup/v1", "members": removal.members, "left": removal.left, "data": removal.data,
        }))?;
    } else if removal.left.is_empty() {
        let data = removal
            .data
            .as_deref()
            .map(|data| format!("; data and secrets stay in {data}"))
            .unwrap_or_default();
        println!(
            "{} {} members ended, no process and no port left{data}",
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
