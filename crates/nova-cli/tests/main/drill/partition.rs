//! A node that is cut off from the others: nothing acknowledged is lost, and nothing stays cut off, also when the drill is
//! killed.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{WHOLE_AGAIN, drill};
use crate::support::TestPlatform;

/// Only root can cut a node off, and not even root on a machine without nftables or control groups.
pub(super) fn a_node_is_cut_off_and_connected_again(platform: &TestPlatform) {
    let mut child = begin(platform);
    if let Some(why) = wait_until_cut(platform, &mut child) {
        assert!(why.contains("fault partition is not available here"), "{why}");
        let is_root = nix::unistd::geteuid().is_root();
        assert_eq!(why.contains("as root"), !is_root, "{why}");
        eprintln!("no node was cut off: {why}");
        return;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(
        table_of(platform) && groups_of(platform).is_some(),
        "it healed although it was killed"
    );

    // This one heals first, and would refuse a platform that is not whole.
    let report = drill(
        platform,
        &["node", "--fault", "partition", "--for", "5s", "--seed", "7"],
    );
    assert_eq!(report["drills"][0]["fault"], "partition");
    let hit = report["drills"][0]["runs"][0]["members"].as_array().map(Vec::len);
    assert!(hit > Some(4), "{report:#}");
    assert!(!table_of(platform), "its nftables table is still there");
    assert_eq!(groups_of(platform), None);
}

/// A drill that would cut a node off for very long.
fn begin(platform: &TestPlatform) -> Child {
    let mut command = platform.command(&["drill", "redis", "--fault", "partition-in", "--for", "10m"]);
    command.args(["--ledger", "cut.jsonl"]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    child.unwrap()
}

/// What a drill says that refuses.
fn wait_until_cut(platform: &TestPlatform, child: &mut Child) -> Option<String> {
    let begin = Instant::now();
    while !table_of(platform) {
        assert!(begin.elapsed() < WHOLE_AGAIN, "no node was cut off");
        if let Some(status) = child.try_wait().unwrap() {
            let said = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
            assert_eq!(status.code(), Some(2), "{said}");
            return Some(said);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    None
}

fn table_of(platform: &TestPlatform) -> bool {
    let name = format!("table inet nova_{}", platform.name().replace('-', "_"));
    let Ok(output) = Command::new("/usr/sbin/nft").args(["list", "tables"]).output() else {
        return false;
    };
    String::from_utf8_lossy(&output.stdout).lines().any(|line| line == name)
}

fn groups_of(platform: &TestPlatform) -> Option<PathBuf> {
    let name = format!("nova-drill-{}", platform.name());
    ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
        .map(|mount| Path::new(mount).join(&name))
        .into_iter()
        .find(|path| path.exists())
}
