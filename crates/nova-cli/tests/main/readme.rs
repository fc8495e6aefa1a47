//! The README's shell blocks, taken from the README and run as they are printed. Only what the shipped platform listens on is
//! replaced by what the test's platform listens on.

use std::os::unix::fs::symlink;
use std::process::Command;

use crate::support::{Call, TestPlatform};

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md");

/// Two accounts, one follows the other, who posts; returns what the last command printed, the feed.
pub(crate) fn the_session_works_as_printed(platform: &TestPlatform) -> String {
    let call = paste(platform, &block("## Use it"));
    let answers: Vec<&str> = call.stdout.lines().collect();
    let feed = answers.last().copied().unwrap_or_default();
    let feed: serde_json::Value =
        serde_json::from_str(feed).unwrap_or_else(|error| panic!("{error}: the feed is no JSON in {call:?}"));
    assert_eq!(feed["items"][0]["text"], "hello", "{call:?}");
    feed.to_string()
}

/// A member is killed and comes back. The drill at the end has tests of its own, and takes minutes.
pub(crate) fn it_can_be_broken_as_printed(platform: &TestPlatform) {
    let printed = block("## Break it");
    let short: Vec<&str> = printed.lines().filter(|line| !line.contains("drill")).collect();
    assert!(short.len() < printed.lines().count(), "no drill in {printed}");
    symlink(env!("CARGO_BIN_EXE_nova"), platform.directory().join("nova")).unwrap();
    paste(platform, &short.join("\n"));
}

/// The first shell block below a heading.
fn block(heading: &str) -> String {
    let readme = std::fs::read_to_string(README).unwrap();
    let below = readme.split_once(heading).unwrap_or_else(|| panic!("no {heading}")).1;
    let block = below.split_once("```sh\n").and_then(|(_, rest)| rest.split_once("```"));
    block
        .unwrap_or_else(|| panic!("no shell block below {heading}"))
        .0
        .to_owned()
}

/// As typed into a shell, which would go on after a failure: here all must succeed, so it ends at the first one.
fn paste(platform: &TestPlatform, printed: &str) -> Call {
    let printed = printed.replace("127.0.0.1", platform.gateway());
    // Each answer on a line of its own, and no proxy.
    let curl = "fail-with-body\nwrite-out = \"\\n\"\nnoproxy = \"*\"\n";
    std::fs::write(platform.directory().join(".curlrc"), curl).unwrap();
    let mut shell = Command::new("sh");
    shell
        .args(["-euc", &printed])
        .current_dir(platform.directory())
        .env("CURL_HOME", platform.directory())
        .env("XDG_STATE_HOME", platform.directory().join("state"));
    Call::of(&shell.output().unwrap()).expect_code(0)
}
