//! `nova logs`: members' logs, each line behind its member's name.

mod since;

use std::time::{Duration, SystemTime};

use nova_local::target::LocalTarget;
use nova_platform::target::{LogQuery, Target};

use super::Session;
use crate::cli::{Format, Logs};
use crate::exit::Exit;
use crate::output::{BOLD, Output};

/// Pause between two looks for new lines.
const FOLLOW_EVERY: Duration = Duration::from_millis(300);

pub(super) async fn run(session: &Session, args: &Logs) -> anyhow::Result<Exit> {
    let members = session.members_of(args.of.as_deref())?;
    let Some(target) = session.deployed()? else {
        return super::status::print_absent(session);
    };
    let width = members.iter().map(String::len).max().unwrap_or(0);
    let query = LogQuery {
        tail: args.since.is_none().then_some(args.tail),
        previous: args.previous,
    };
    for member in &members {
        let lines = target.logs(member, &query).await?;
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
        tokio::select! {
            result = follow(session.output, args, &target, &members, width) => result?,
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
