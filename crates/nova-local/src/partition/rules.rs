//! The nftables table of a partition: what it says, and loading and removing it.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nova_platform::target::Direction;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;

use super::connections::{Connection, Connections};
use super::groups::Names;
use super::{PartitionError, Sides};

/// Where distributions have it; root's work is not done by whatever `PATH` finds first.
const PROGRAMS: [&str; 3] = ["/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft"];
const LIMIT: Duration = Duration::from_secs(10);
const TALLY: &str = "counter name dropped drop";

/// nftables' command.
pub(super) fn program() -> Option<PathBuf> {
    PROGRAMS.into_iter().map(PathBuf::from).find(|path| path.is_file())
}

/// A dash is not one of nftables' letters, and an underscore not one of a platform's.
fn name(platform: &str) -> String {
    format!("nova_{}", platform.replace('-', "_"))
}

/// The whole table, with these rules in place of earlier ones.
pub(super) fn table(
    platform: &str,
    groups: &Names,
    sides: &Sides,
    connections: &Connections,
    direction: Direction,
) -> String {
    let (cut, others) = (list(&sides.cut.addresses), list(&sides.others.addresses));
    let group = |path: &str| format!("socket cgroupv2 level {} \"{path}\"", groups.level);
    let (of_cut, of_others) = (group(&groups.cut), group(&groups.others));
    let (there, back) = (
        "ip saddr . tcp sport . ip daddr . tcp dport",
        "ip daddr . tcp dport . ip saddr . tcp sport",
    );
    let (mut output, mut input) = (Vec::new(), Vec::new());
    // Of each way: what its senders ask of the others' addresses, then what they answer from their own.
    if direction != Direction::In {
        output.push(format!("{of_cut} ip daddr {{ {others} }}"));
        output.push(format!("{there} @of_cut"));
        output.push(format!("{back} @of_others"));
        input.push(format!("ip saddr {{ {cut} }} {of_others}"));
    }
    if direction != Direction::Out {
        output.push(format!("{of_others} ip daddr {{ {cut} }}"));
        output.push(format!("{there} @of_others"));
        output.push(format!("{back} @of_cut"));
        input.push(format!("ip saddr {{ {others} }} {of_cut}"));
    }
    let table = name(platform);
    // Declared and emptied first: the counter goes on counting when rules change.
    let empty = "type ipv4_addr . inet_service . ipv4_addr . inet_service";
    let mut text = format!(
        "table inet {table} {{\n\tcounter dropped {{ }}\n\tset of_cut {{ {empty}; }}\n\tset of_others {{ {empty}; }}\n}}\n\
         flush table inet {table}\nflush set inet {table} of_cut\nflush set inet {table} of_others\n\
         table inet {table} {{\n"
    );
    for (set, connections) in [("of_cut", &connections.of_cut), ("of_others", &connections.of_others)] {
        if !connections.is_empty() {
            let elements = joined(connections.iter().map(element));
            text.push_str(&format!(
                "\tset {set} {{\n\t\t{empty}\n\t\telements = {{ {elements} }}\n\t}}\n"
            ));
        }
    }
    for (chain, rules) in [("output", output), ("input", input)] {
        text.push_str(&format!(
            "\tchain {chain} {{\n\t\ttype filter hook {chain} priority filter; policy accept;\n"
        ));
        for rule in rules {
            text.push_str(&format!("\t\t{rule} {TALLY}\n"));
        }
        text.push_str("\t}\n");
    }
    text.push_str("}\n");
    text
}

fn list(addresses: &BTreeSet<Ipv4Addr>) -> String {
    joined(addresses.iter().map(ToString::to_string))
}

fn joined(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

fn element(connection: &Connection) -> String {
    let Connection { near, far } = connection;
    format!("{} . {} . {} . {}", near.ip(), near.port(), far.ip(), far.port())
}

/// Loads a table, whole or not at all.
pub(super) async fn load(table: &str) -> Result<(), PartitionError> {
    nft(&["-f", "-"], table).await.map(drop)
}

/// Removes a platform's table. Returns whether it dropped any packet; `None` when there is no table.
pub(super) async fn remove(platform: &str) -> Result<Option<bool>, PartitionError> {
    let table = name(platform);
    let tables = nft(&["list", "tables", "inet"], "").await?;
    if !tables.lines().any(|line| line.trim() == format!("table inet {table}")) {
        return Ok(None);
    }
    let counted = nft(&["list", "counter", "inet", &table, "dropped"], "").await;
    nft(&["delete", "table", "inet", &table], "").await?;
    counted.map(|said| Some(dropped(&said) > 0))
}

fn dropped(said: &str) -> u64 {
    let mut words = said.split_whitespace().skip_while(|word| *word != "packets");
    words.nth(1).and_then(|count| count.parse().ok()).unwrap_or(0)
}

async fn nft(arguments: &[&str], input: &str) -> Result<String, PartitionError> {
    let failed = |why: String| PartitionError::Rules(format!("nft {}: {why}", arguments.join(" ")));
    let program = program().ok_or_else(|| failed("no such program".to_owned()))?;
    match timeout(LIMIT, answer(&program, arguments, input)).await {
        Ok(Ok(said)) => Ok(said),
        Ok(Err(why)) => Err(failed(why)),
        Err(_) => Err(failed(format!("not done within {} s", LIMIT.as_secs()))),
    }
}

async fn answer(program: &Path, arguments: &[&str], input: &str) -> Result<String, String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // An interrupted terminal must not cut it off in the middle.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| error.to_string())?;
    if let Some(mut stdin) = child.stdin.take() {
        // Whoever does not read says why below.
        let _ = stdin.write_all(input.as_bytes()).await;
    }
    let output = child.wait_with_output().await.map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!(
            "{}: {}",
            output.status,
            said.lines().next().unwrap_or("it said nothing")
        ))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

    use nova_platform::target::Direction;

    use super::{dropped, table};
    use crate::partition::connections::{Connection, Connections};
    use crate::partition::groups::Groups;
    use crate::partition::{Side, Sides};

    fn of(direction: Direction) -> String {
        let side = |addresses: &[&str]| Side {
            addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
            processes: Vec::new(),
        };
        let sides = Sides {
            cut: side(&["127.77.0.2"]),
            others: side(&["127.77.0.1", "127.77.0.3"]),
        };
        let connection = Connection {
            near: "127.0.0.1:40000".parse().unwrap(),
            far: "127.77.0.1:2379".parse().unwrap(),
        };
        let connections = Connections {
            of_cut: [connection].into(),
            ..Connections::default()
        };
        let groups = Groups::below("/sys/fs/cgroup", "two-words").names();
        table("two-words", &groups, &sides, &connections, direction)
    }

    #[test]
    fn a_table_drops_what_goes_between_the_sides_and_nothing_else() {
        let wanted = "\
table inet nova_two_words {
\tcounter dropped { }
\tset of_cut { type ipv4_addr . inet_service . ipv4_addr . inet_service; }
\tset of_others { type ipv4_addr . inet_service . ipv4_addr . inet_service; }
}
flush table inet nova_two_words
flush set inet nova_two_words of_cut
flush set inet nova_two_words of_others
table inet nova_two_words {
\tset of_cut {
\t\ttype ipv4_addr . inet_service . ipv4_addr . inet_service
\t\telements = { 127.0.0.1 . 40000 . 127.77.0.1 . 2379 }
\t}
\tchain output {
\t\ttype filter hook output priority filter; policy accept;
\t\tsocket cgroupv2 level 2 \"nova-drill-two-words/cut-off\" ip daddr { 127.77.0.1, 127.77.0.3 } counter name dropped drop
\t\tip saddr . tcp sport . ip daddr . tcp dport @of_cut counter name dropped drop
\t\tip daddr . tcp dport . ip saddr . tcp sport @of_others counter name dropped drop
\t}
\tchain input {
\t\ttype filter hook input priority filter; policy accept;
\t\tip saddr { 127.77.0.2 } socket cgroupv2 level 2 \"nova-drill-two-words/others\" counter name dropped drop
\t}
}
";
        assert_eq!(of(Direction::Out), wanted);
    }

    #[test]
    fn both_ways_are_the_two_ways_together() {
        let rules = |direction| {
            let text = of(direction);
            let mut rules: Vec<String> = text
                .lines()
                .filter(|line| line.ends_with("drop"))
                .map(str::to_owned)
                .collect();
            rules.sort();
            rules
        };
        let mut one_by_one = [rules(Direction::In), rules(Direction::Out)].concat();
        one_by_one.sort();
        assert_eq!(rules(Direction::Both), one_by_one);
        one_by_one.dedup();
        assert_eq!(one_by_one.len(), 8);
    }

    #[test]
    fn the_counter_is_read() {
        let said = "table inet t {\n\tcounter dropped {\n\t\tpackets 12 bytes 720\n\t}\n}\n";
        assert_eq!(dropped(said), 12);
        assert_eq!(dropped(""), 0);
    }
}
