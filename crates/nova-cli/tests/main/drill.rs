//! `nova drill` as its users run it: real faults on a real platform, and nothing left broken afterwards.

mod disk_full;
mod partition;

use std::io::BufRead;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::accepted::accepted;
use crate::schema::is_as_its_schema_says;
use crate::support::{Call, TestPlatform, member, members, pid};

const DRILL_SCHEMA: &str = include_str!("../../../../docs/schemas/drill.schema.json");
/// A member must be whole again after this.
const WHOLE_AGAIN: Duration = Duration::from_secs(60);

#[test]
fn drills_lose_nothing_and_heal() {
    let platform = TestPlatform::new();
    platform.nova(&["deploy", "--yes"]).expect_code(0);

    for (component, store) in [
        ("postgres", "postgres"),
        ("redis", "redis"),
        ("kafka", "kafka"),
        ("auth-service", "requests"),
    ] {
        let report = drill(&platform, &[component, "--runs", "1", "--seed", "7"]);
        let run = &report["drills"][0]["runs"][0];
        assert_eq!(run["stores"][0]["store"], store, "{run:#}");
        assert_eq!(run["members"].as_array().map(Vec::len), Some(1), "{run:#}");
    }
    a_page_shows_what_the_logs_tell(&platform);
    for store in ["postgres", "redis", "kafka"] {
        let stop = drill(&platform, &[store, "--fault", "stop", "--for", "2s", "--seed", "7"]);
        assert_eq!(stop["drills"][0]["fault"], "stop");
    }
    a_lost_node_with_the_leader_is_not_waited_for(&platform);
    a_drained_node_hands_over_what_it_leads(&platform);

    let switchover = drill(&platform, &["kafka", "--fault", "switchover", "--seed", "7"]);
    assert_eq!(switchover["drills"][0]["fault"], "switchover");

    partition::a_node_is_cut_off_and_connected_again(&platform);
    disk_full::a_disk_that_others_share_is_not_filled(&platform);
    a_watch_judges_what_others_break(&platform);
    a_killed_drill_can_be_judged_and_the_next_one_heals(&platform);
    an_interrupted_drill_heals_first_and_keeps_others_out(&platform);
    a_ledger_that_has_no_room_stops_the_drill_and_heals(&platform);
    an_unhealthy_platform_is_refused(&platform);
}

/// Runs a drill and looks at everything that must hold whatever the machine's speed.
fn drill(platform: &TestPlatform, args: &[&str]) -> Value {
    let call = call(platform, args);
    let report = accepted(&call);
    assert_eq!(report["schema"], "nova.drill/v1");
    is_as_its_schema_says(DRILL_SCHEMA, &report);
    assert_eq!(report["seed"], 7);
    let drill = &report["drills"][0];
    let run = &drill["runs"][0];
    for store in run["stores"].as_array().unwrap() {
        let what = &store["store"];
        let keeps_everything = what != "redis" && what != "requests";
        assert!(!keeps_everything || store["lost"] == 0, "{report:#}");
        assert_eq!(store["duplicated"], 0, "{report:#}");
        assert!(store["acknowledged"].as_u64().unwrap() > 100, "{report:#}");
        assert!(store["rto_ms"].is_u64() && store["timeline"].is_array(), "{report:#}");
    }
    assert!(run["rejoined_ms"].is_u64(), "{report:#}\n{}", call.stderr);
    for spread in ["p50", "p95", "max"] {
        assert_eq!(drill["rto_ms"][spread], run["rto_ms"], "{report:#}");
    }
    platform.wait_for("healthy after a drill", WHOLE_AGAIN, |status| {
        status["verdict"] == "healthy"
    });
    report
}

/// PostgreSQL's, and its node.
fn leader(platform: &TestPlatform) -> (String, String) {
    let status = platform.status();
    let leader = members(&status)
        .into_iter()
        .find(|(component, member)| component == "postgres" && member["role"] == "leader");
    let (_, leader) = leader.unwrap_or_else(|| panic!("nobody leads: {status:#}"));
    let of = |key: &str| leader[key].as_str().unwrap().to_owned();
    (of("name"), of("node"))
}

/// No user sees a request fail for what is planned; how long it takes is for a quiet machine.
fn a_drained_node_hands_over_what_it_leads(platform: &TestPlatform) {
    let (member, node) = leader(platform);
    let report = drill(
        platform,
        &[
            "node", "--fault", "drain", "--member", &node, "--for", "1s", "--seed", "7",
        ],
    );
    let stores = report["drills"][0]["runs"][0]["stores"].as_array().unwrap();
    let names: Vec<&str> = stores.iter().filter_map(|store| store["store"].as_str()).collect();
    assert_eq!(names, ["postgres", "redis", "kafka", "posts", "requests"], "{report:#}");
    assert_eq!(stores[4]["failed"], 0, "{report:#}");
    let log = std::fs::read_to_string(platform.state().join("supervisor.log")).unwrap();
    assert!(log.contains(&format!("it is to end: {member} leads no more")), "{log}");
    assert_ne!(leader(platform).0, member);
}

/// The node stays away for less time than Patroni's key lasts: only where that key was given up for its dead holder does another
/// one have to lead meanwhile.
fn a_lost_node_with_the_leader_is_not_waited_for(platform: &TestPlatform) {
    let (_, node) = leader(platform);
    let report = drill(platform, &["node", "--member", &node, "--for", "14s", "--seed", "7"]);
    let stores = report["drills"][0]["runs"][0]["stores"].as_array().unwrap();
    let postgres = stores.iter().find(|store| store["store"] == "postgres").unwrap();
    assert!(postgres["phases"]["promotion_ms"].is_u64(), "{report:#}");
    let log = std::fs::read_to_string(platform.state().join("supervisor.log")).unwrap();
    assert!(log.contains("its leader key is given up"), "{log}");
}

/// The kill of PostgreSQL's leader, which always costs a failover.
fn a_page_shows_what_the_logs_tell(platform: &TestPlatform) {
    let ledger = "postgres---runs-1---seed-7.jsonl";
    let call = platform.nova(&["drill", "report", ledger, "-o", "json", "--html", "page.html"]);
    let report = call.json();
    assert_eq!(report["target"], "local");
    assert!(
        report["circumstances"]["machine"]["cores"].as_u64().unwrap() > 0,
        "{report:#}"
    );
    let drill = &report["drills"][0];
    let phases = &drill["runs"][0]["stores"][0]["phases"];
    for phase in ["detection_ms", "election_ms", "promotion_ms", "rerouting_ms"] {
        assert!(phases[phase].is_u64(), "{phase}: {report:#}");
        assert_eq!(drill["stores"][0]["phases"][phase]["max"], phases[phase], "{report:#}");
    }
    let page = std::fs::read_to_string(platform.directory().join("page.html")).unwrap();
    assert!(
        page.contains("</html>") && page.contains("<svg") && page.contains("kill of postgres"),
        "{page}"
    );
}

/// A shell sets the limit: what the kernel answers then is what a full disk answers, for this process alone.
fn a_ledger_that_has_no_room_stops_the_drill_and_heals(platform: &TestPlatform) {
    let frozen = pid(&member(&platform.status(), "redis-1"));
    let drill = platform.command(&["drill", "redis", "--fault", "stop", "--member", "redis-1"]);
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 6000; exec \"$@\"", "sh"]);
    command.arg(drill.get_program()).args(drill.get_args());
    command.args(["--for", "10m", "--rate", "4000", "--ledger", "full.jsonl"]);
    command.current_dir(platform.directory());
    command.envs(drill.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let call = Call::of(&command.output().unwrap()).expect_code(1);
    assert!(
        call.stderr.contains("full.jsonl cannot be written: File too large"),
        "{}",
        call.stderr
    );
    assert!(call.stderr.contains("healing what was broken"), "{}", call.stderr);
    assert_ne!(state(frozen), Some('T'));
    platform.wait_for("healthy after a full disk", WHOLE_AGAIN, |status| {
        status["verdict"] == "healthy"
    });
    // What had room can still be judged.
    let report = platform.nova(&["drill", "report", "full.jsonl", "-o", "json"]).json();
    assert!(
        report["drills"][0]["runs"][0]["acknowledged"].as_u64().unwrap() > 100,
        "{report:#}"
    );
}

fn call(platform: &TestPlatform, args: &[&str]) -> Call {
    let ledger = platform.directory().join(format!("{}.jsonl", args.join("-")));
    let ledger = ledger.to_string_lossy();
    platform.nova(&[&["drill"], args, &["-o", "json", "--ledger", &ledger]].concat())
}

fn a_watch_judges_what_others_break(platform: &TestPlatform) {
    let ledger = platform.directory().join("watch.jsonl");
    let mut command = platform.command(&["drill", "watch", "postgres", "redis", "kafka", "posts", "auth-service"]);
    command.args(["--for", "10m", "-o", "json", "--ledger"]);
    command
        .arg(&ledger)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let lines = std::io::BufReader::new(child.stderr.take().unwrap()).lines();
    let mut said = lines.map_while(Result::ok);
    assert!(
        said.any(|line| line.contains("every client writes")),
        "the clients did not get going"
    );
    let victim = pid(&member(&platform.status(), "redis-2"));
    kill(Pid::from_raw(victim), Signal::SIGKILL).unwrap();
    platform.wait_for("whole again", WHOLE_AGAIN, |status| {
        status["verdict"] == "healthy" && pid(&member(status, "redis-2")) != victim
    });
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
    let output = child.wait_with_output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{report:#}");
    assert_eq!(report["drills"][0]["fault"], "watch", "{report:#}");
    let stores = report["drills"][0]["runs"][0]["stores"].as_array().unwrap();
    let names: Vec<&str> = stores.iter().filter_map(|store| store["store"].as_str()).collect();
    assert_eq!(names, ["postgres", "redis", "kafka", "posts", "requests"], "{report:#}");
    for store in stores {
        assert!(store["acknowledged"].as_u64().unwrap() > 100, "{report:#}");
        let keeps_everything = store["store"] != "redis" && store["store"] != "requests";
        assert!(!keeps_everything || store["lost"] == 0, "{report:#}");
    }
    // Its ledger tells the same, as every drill's.
    let again = platform.nova(&["drill", "report", "watch.jsonl", "-o", "json"]);
    assert_eq!(again.expect_code(0).json()["drills"], report["drills"]);
}

/// Starts a drill that freezes a member for long, and waits until it is frozen.
fn freeze(platform: &TestPlatform, name: &str, ledger: &str) -> (std::process::Child, i32) {
    let frozen = pid(&member(&platform.status(), name));
    let mut command = platform.command(&["drill", "redis", "--fault", "stop", "--member", name]);
    command.args(["--for", "10m", "--ledger", ledger]);
    let child = command.stdout(std::process::Stdio::null()).spawn().unwrap();
    let begin = Instant::now();
    while state(frozen) != Some('T') {
        assert!(begin.elapsed() < WHOLE_AGAIN, "{name} was not frozen");
        std::thread::sleep(Duration::from_millis(50));
    }
    (child, frozen)
}

fn state(pid: i32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(')').next()?.trim().chars().next()
}

fn a_killed_drill_can_be_judged_and_the_next_one_heals(platform: &TestPlatform) {
    let (mut child, frozen) = freeze(platform, "redis-2", "killed.jsonl");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(state(frozen), Some('T'));
    // As when it was killed in the middle of a line.
    let path = platform.directory().join("killed.jsonl");
    let mut ledger = std::fs::read(&path).unwrap();
    ledger.extend_from_slice(b"{\"run\":1,\"store\":\"red");
    std::fs::write(&path, ledger).unwrap();
    let report = platform.nova(&["drill", "report", "killed.jsonl", "-o", "json"]).json();
    let run = &report["drills"][0]["runs"][0];
    assert_eq!(
        (&report["torn"], &run["lost"]),
        (&Value::Bool(true), &Value::Null),
        "{report:#}"
    );
    assert!(run["acknowledged"].as_u64().unwrap() > 0, "{report:#}");

    let call = call(platform, &["redis", "--member", "redis-2", "--seed", "7"]);
    assert!(
        call.stderr.contains("healed what an earlier drill left: redis-2"),
        "{}",
        call.stderr
    );
    assert_eq!(call.json()["drills"][0]["runs"][0]["lost"], 0, "{}", call.stdout);
}

fn an_interrupted_drill_heals_first_and_keeps_others_out(platform: &TestPlatform) {
    let (mut child, frozen) = freeze(platform, "redis-3", "interrupted.jsonl");
    let second = call(platform, &["kafka", "--seed", "1"]);
    assert!(second.code == 1 && second.stderr.contains("`drill`"), "{second:?}");
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_ne!(state(frozen), Some('T'));
    platform.wait_for("healthy after an interrupted drill", WHOLE_AGAIN, |status| {
        status["verdict"] == "healthy"
    });
}

fn an_unhealthy_platform_is_refused(platform: &TestPlatform) {
    // A service that cannot start again: its program is away.
    let bin = platform.state().join("bin");
    let moved = platform.directory().join("bin");
    let victim = pid(&member(&platform.status(), "auth-service-1"));
    std::fs::rename(&bin, &moved).unwrap();
    kill(Pid::from_raw(victim), Signal::SIGKILL).unwrap();
    platform.wait_for("degraded", WHOLE_AGAIN, |status| status["verdict"] != "healthy");
    let refused = call(platform, &["redis", "--seed", "1"]).expect_code(3);
    assert!(refused.stderr.contains("auth-service-1"), "{}", refused.stderr);
    std::fs::rename(&moved, &bin).unwrap();
    platform.wait_for("healthy again", WHOLE_AGAIN, |status| status["verdict"] == "healthy");
}

#[test]
fn the_judge_sees_what_is_planted() {
    let platform = TestPlatform::described("");
    let proof = platform
        .nova(&["drill", "self-test", "--planted-only", "-o", "json"])
        .expect_code(0)
        .json();
    assert_eq!(proof["planted"].as_array().map(Vec::len), Some(5), "{proof:#}");
    assert_eq!(
        (&proof["passed"], &proof["control"]),
        (&Value::Bool(true), &Value::Null)
    );
}

#[test]
fn the_judge_sees_what_a_platform_without_synchronous_commits_loses() {
    let platform = TestPlatform::new();
    let proof = platform
        .nova(&["drill", "self-test", "-o", "json"])
        .expect_code(0)
        .json();
    let control = &proof["control"];
    assert_eq!(
        (&proof["passed"], &control["found"]),
        (&true.into(), &true.into()),
        "{proof:#}"
    );
    assert!(control["lost"].as_u64() > Some(0), "{proof:#}");
    let ledger = control["ledger"].as_str().unwrap();
    let read = platform.nova(&["drill", "report", ledger]).expect_code(1);
    assert!(read.stdout.contains("lost"), "{}", read.stdout);
    std::fs::remove_file(ledger).unwrap();
}

/// Starts a self-test with its throw-away platform, and waits until that has a state directory.
fn self_test(platform: &TestPlatform) -> (std::process::Child, std::path::PathBuf) {
    let mut command = platform.command(&["drill", "self-test"]);
    command
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped());
    let child = command.spawn().unwrap();
    let state = platform.state().with_file_name(format!("self-test-{}", child.id()));
    let begin = Instant::now();
    while !state.join("members.json").exists() {
        assert!(begin.elapsed() < WHOLE_AGAIN, "nothing was deployed");
        std::thread::sleep(Duration::from_millis(50));
    }
    (child, state)
}

#[test]
fn a_self_test_leaves_nothing_when_it_is_interrupted_and_removes_what_a_killed_one_left() {
    // Another self-test would remove what the killed one left.
    let platform = TestPlatform::alone();
    let (mut killed, left) = self_test(&platform);
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(left.exists());
    let (interrupted, state) = self_test(&platform);
    assert!(!left.exists(), "{} is still there", left.display());
    kill(Pid::from_raw(i32::try_from(interrupted.id()).unwrap()), Signal::SIGINT).unwrap();
    let output = interrupted.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("which an earlier self-test left"), "{stderr}");
    assert!(!state.exists(), "{} is still there: {stderr}", state.display());
}

#[test]
fn what_cannot_be_drilled_is_refused_before_anything_is_touched() {
    let platform = TestPlatform::described("");
    let refused = |args: &[&str], code: i32, says: &str| {
        let call = platform.nova(&[&["drill"], args].concat()).expect_code(code);
        assert!(call.stderr.contains(says), "{args:?}: {}", call.stderr);
    };
    refused(&[], 2, "COMPONENT");
    refused(&["postgre"], 2, "did you mean \"postgres\"?");
    refused(&["redis", "--fault", "kil"], 2, "did you mean \"kill\"?");
    refused(
        &["gateway", "--fault", "partition"],
        2,
        "nova drill node --fault partition",
    );
    refused(&["gateway", "--fault", "disk-full"], 2, "keeps no data");
    refused(&["etcd", "--fault", "switchover"], 2, "no leader that could be asked");
    refused(&["redis", "--member", "postgres-1"], 2, "redis-1");
    refused(&["all", "--member", "redis-1"], 2, "--member");
    refused(&["redis", "--runs", "0"], 2, "--runs");
    refused(&["redis"], 3, "nothing of platform");
    refused(&["watch"], 3, "nothing of platform");
    refused(&["watch", "mysql"], 2, "postgres, redis, kafka, posts, auth-service");
    refused(&["report", "absent.jsonl"], 1, "absent.jsonl");
    refused(&["self-test", "--kills", "0"], 2, "--kills");
    std::fs::write(platform.directory().join("other.jsonl"), "{}\n").unwrap();
    refused(&["report", "other.jsonl"], 1, "no ledger of a drill");
}

#[test]
fn a_budget_that_makes_no_sense_is_refused() {
    let platform = TestPlatform::described("[drill.budget.redis]\nkill = \"1ms\"\n");
    let call = platform.nova(&["drill", "redis"]).expect_code(2);
    assert!(call.stderr.contains("drill.budget.redis.kill"), "{}", call.stderr);
}
