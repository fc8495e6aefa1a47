//! How a Sentinel starts: today's settings put together with what it learned in earlier lives. One that has learned
//! nothing asks the others who leads before it assumes anything; one that the others have left behind believes them.

use std::convert::Infallible;
use std::process::Command;
use std::time::Duration;

use crate::address::{Address, HostPort};
use crate::error::StartError;
use crate::files::{make_directory, read_if_present, read_text, write};
use crate::place::Place;
use crate::redis_view::View;
use crate::start::{MASTER_NAME, Start, exec};

const ANSWER: Duration = Duration::from_millis(300);

/// Becomes the Sentinel of this place.
///
/// # Errors
/// When a name has no address, a file cannot be used, or its program cannot run.
pub fn run(place: &Place) -> Result<Infallible, StartError> {
    let base = read_text(&place.config("base.conf"))?;
    let start = Start::resolved(place)?;
    let path = place.kept("sentinel.conf");
    let learned = read_if_present(&path)?;
    let known = place.kept("servers.json");
    // One that cannot be read says nothing.
    let before: Vec<Address> = serde_json::from_str(&read_if_present(&known)?).unwrap_or_default();
    let view = View::ask(&start, ANSWER);
    let master = agreed(&learned, &view)
        .or_else(|| monitored(&learned, &before, &start.servers))
        .unwrap_or_else(|| leading(&start, &view));
    println!("nova: {} starts; it watches {master}", start.own.member);
    if let Some(parent) = path.parent() {
        make_directory(parent)?;
    }
    write(&path, &merge(&start, &base, &learned, &master))?;
    // After the file that it explains: one that is cut off in between finds addresses that are today's.
    write(&known, &format!("{:#}\n", serde_json::json!(start.servers)))?;
    exec(
        Command::new(&start.server)
            .arg(&path)
            .arg("--sentinel")
            .current_dir(place.run()),
        &start.server,
    )
}

/// The master that the others agree on, unless this Sentinel learned of a later one. Of an equally late one it cannot be told: Sentinels
/// take news from each other by its epoch, and two of the same failover's end would differ for ever.
fn agreed(learned: &str, view: &View) -> Option<HostPort> {
    let epoch = learned
        .lines()
        .find_map(|line| match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["sentinel", "config-epoch", MASTER_NAME, epoch] => epoch.parse::<u64>().ok(),
            _ => None,
        });
    view.others_agree_on(epoch.unwrap_or(0))
        .map(|named| named.master.clone())
}

fn leading(start: &Start, view: &View) -> HostPort {
    let named = view.named_master().map(|named| named.master.clone());
    let leading = || {
        view.peers
            .iter()
            .flatten()
            .find(|peer| peer.is_master)
            .map(|peer| peer.place.clone())
    };
    // Where nothing was ever written, the first server begins.
    named
        .or_else(leading)
        .unwrap_or_else(|| start.servers.first().unwrap_or(&start.own).place())
}

/// The master that Sentinel wrote down, if it still is one of ours, at its address of today; `before` are the servers' addresses
/// when that was written.
fn monitored(learned: &str, before: &[Address], servers: &[Address]) -> Option<HostPort> {
    let words = learned.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let written = words
        .filter_map(|words| match words[..] {
            ["sentinel", "monitor", MASTER_NAME, host, port, ..] => Some(HostPort::new(host, port.parse().ok()?)),
            _ => None,
        })
        .next()?;
    let is_there = |server: &&Address| server.is_at(&written);
    // By name where the name is known: an address may be another server's since.
    let now = match before.iter().find(is_there) {
        Some(old) => servers.iter().find(|server| server.member == old.member),
        None => servers.iter().find(is_there),
    };
    now.map(Address::place)
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
    text.push_str(&format!(
        "\
requirepass {sentinel_password}
sentinel sentinel-pass {sentinel_password}
sentinel announce-ip {host}
sentinel announce-port {port}
sentinel auth-pass {MASTER_NAME} {password}
",
        sentinel_password = start.sentinel_password,
        password = start.password,
        host = start.own.host,
        port = start.own.port,
    ));
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
