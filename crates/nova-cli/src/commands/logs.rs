//! `nova logs`: members' logs, each line behind its member's name.

mod since;

use std::time::{Duration, SystemTime};

use nova_kubernetes::target::KubernetesTarget;
use nova_local::target::LocalTarget;
use nova_platform::components::ComponentId;
use nova_platform::target::LogQuery;
use tokio::sync::mpsc;

use super::Session;
use super::place::Place;
use crate::cli::{Format, Logs};
use crate::exit::Exit;
use crate::output::{BOLD, Output};

/// Lines of pods that wait to be printed.
const LINES: usize = 1000;
/// Pause between two looks for new lines.
const FOLLOW_EVERY: Duration = Duration::from_millis(300);

pub(super) async fn run(session: &Session, args: &Logs) -> anyhow::Result<Exit> {
    let Some(place) = session.deployed().await? else {
        // A slip of the keyboard is told as one, whether or not anything runs.
        session.described_members(args.of.as_deref())?;
        return super::status::print_absent(session);
    };
    let members = place.members_of(session, args.of.as_deref()).await?;
    let width = members.iter().map(String::len).max().unwrap_or(0);
    let query = LogQuery {
        tail: args.since.is_none().then_some(args.tail),
        previous: args.previous,
    };
    for member in &members {
        let lines = place.logs(member, &query).await?;
        let lines = match args.since {
            Some(time) => since::lines(
                lines,
                SystemTime::now().checked_sub(time).unwrap_or(SystemTime::UNIX_EPOCH),
            ),
            None => lines,
        };
        print(session.output, args, member, width, lines)?;
    }
    if args.follow {
        let followed = async {
            match &place {
                Place::Local(target, _) => follow(session.output, args, target, &members, width).await,
                Place::Kubernetes(target) => follow_pods(session.output, args, target, width).await,
            }
        };
        tokio::select! {
            result = followed => result?,
            _ = tokio::signal::ctrl_c() => {}
        }
    }
    Ok(Exit::Done)
}

fn print(output: Output, args: &Logs, member: &str, width: usize, lines: Vec<String>) -> anyhow::Result<()> {
    for line in lines
        .into_iter()
        .filter(|line| args.grep.as_ref().is_none_or(|wanted| wanted.is_match(line)))
    {
        if output.format == Format::Json {
            println!(
                "{}",
                serde_json::to_string(&serde_json::json!({"member": member, "line": line}))?
            );
        } else {
            println!("{}  {line}", output.paint(BOLD, &format!("{member:width$}")));
        }
    }
    Ok(())
}

/// Prints what is added to the logs; a log that became shorter was rotated and is read from its start.
async fn follow(
    output: Output,
    args: &Logs,
    target: &LocalTarget,
    members: &[String],
    width: usize,
) -> anyhow::Result<()> {
    let mut followers = members
        .iter()
        .map(|member| target.follow(member))
        .collect::<Result<Vec<_>, _>>()?;
    loop {
        for (member, follower) in members.iter().zip(&mut followers) {
            print(output, args, member, width, follower.poll()?)?;
        }
        tokio::time::sleep(FOLLOW_EVERY).await;
    }
}

/// Prints what pods write, those that come later included.
async fn follow_pods(output: Output, args: &Logs, target: &KubernetesTarget, width: usize) -> anyhow::Result<()> {
    let (sender, mut lines) = mpsc::channel::<(String, String)>(LINES);
    let wanted = |name: &str, component: &ComponentId| {
        args.of
            .as_deref()
            .is_none_or(|of| of == name || of == component.as_str())
    };
    let shown = async {
        while let Some((member, line)) = lines.recv().await {
            print(output, args, &member, width, vec![line])?;
        }
        anyhow::Ok(())
    };
    tokio::select! {
        followed = target.follow(wanted, sender) => Ok(followed?),
        shown = shown => shown,
    }
}
