//! How a Sentinel starts: today's settings put together with what it learned in earlier lives. One that has learned
//! nothing asks the others who leads before it assumes anything.

use std::convert::Infallible;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nova_platform::endpoints::HostPort;

use super::redis::{Address, MASTER_NAME, Start};
use super::redis_start::{StartError, exec, read_start, write};
use super::redis_view::View;

const ANSWER: Duration = Duration::from_millis(300);

/// Becomes the Sentinel whose member directory this is.
///
/// # Errors
/// When a file cannot be used or its program cannot run.
pub fn run(directory: &Path) -> Result<Infallible, StartError> {
    let start: Start = read_start(directory)?;
    let base = directory.join("base.conf");
    let base = fs::read_to_string(&base).map_err(|source| StartError::File { path: base, source })?;
    let path = directory.join("sentinel.conf");
    let learned = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(source) => return Err(StartError::File { path, source }),
    };
    let master = monitored(&learned, &start.servers).unwrap_or_else(|| ask_for_master(&start));
    println!("nova: {} starts; it watches {master}", start.own.member);
    write(&path, &merge(&start, &base, &learned, &master))?;
    exec(
        Command::new(&start.server)
            .args(["sentinel.conf", "--sentinel"])
            .current_dir(directory),
        &start.server,
    )
}

fn ask_for_master(start: &Start) -> HostPort {
    let view = View::ask(start, ANSWER);
    let named = view.named_master().map(|named| named.master.clone());
    let leading = || {
        view.peers
            .iter()
            .flatten()
            .find(|peer| peer.is_master)
            .map(|peer| peer.place.clone())
    };
    let known = named
        .or_else(leading)
        .filter(|master| start.servers.iter().any(|server| server.is_at(master)));
    // Where nothing was ever written, the first server begins.
    known.unwrap_or_else(|| start.servers.first().unwrap_or(&start.own).place())
}

/// The master that Sentinel wrote down, if it still is one of ours.
fn monitored(learned: &str, servers: &[Address]) -> Option<HostPort> {
    let words = learned.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    words
        .filter_map(|words| match words[..] {
            ["sentinel", "monitor", MASTER_NAME, host, port, ..] => Some(HostPort::new(host, port.parse().ok()?)),
            _ => None,
        })
        .find(|master| servers.iter().any(|server| server.is_at(master)))
}

/// Settings first, then what was learned: epochs, and those Sentinels that still exist. All other servers are replicas from
/// the start: a Sentinel learns of them from the master only, and that may be lost before it told.
fn merge(start: &Start, base: &str, learned: &str, master: &HostPort) -> String {
    // Every other setting of a master must follow this one.
    let mut text = format!(
        "sentinel monitor {MASTER_NAME} {} {} {}\n",
        master.host, master.port, start.quorum
    );
    text.push_str(base);
    let is_ours = |host: &str, port: &str| {
        port.parse().is_ok_and(|port| {
            start
                .sentinels
                .iter()
                .any(|member| member.is_at(&HostPort::new(host, port)))
        })
    };
    let keep = |line: &&str| match line.split_whitespace().collect::<Vec<_>>()[..] {
        ["sentinel", "current-epoch", _] | ["sentinel", "config-epoch" | "leader-epoch", MASTER_NAME, _] => true,
        ["sentinel", "known-sentinel", MASTER_NAME, host, port, _] => is_ours(host, port),
        _ => false,
    };
    for line in learned.lines().filter(keep) {
        text.push_str(line);
        text.push('\n');
    }
    for replica in start.servers.iter().filter(|server| !server.is_at(master)) {
        text.push_str(&format!(
            "sentinel known-replica {MASTER_NAME} {} {}\n",
            replica.host, replica.port
        ));
    }
    text
}

#[cfg(test)]
mod tests;
