//! `kill -9` of everything that can be killed, with clients that keep a ledger: the platform heals by itself, and every
//! acknowledged write is there afterwards.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::long::Long;
use crate::support::ledger::Ledger;
use crate::support::{TestPlatform, member, members, pid};

/// A member must be whole again after this.
const WHOLE_AGAIN: Duration = Duration::from_secs(60);

#[test]
fn every_kill_heals_and_loses_nothing_acknowledged() {
    let platform = TestPlatform::new();
    platform.nova(&["deploy", "--yes"]).expect_code(0);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let ledger = runtime.block_on(Ledger::start(&platform));

    // Before any failover: afterwards the others' later epoch would correct it at once.
    leave_a_sentinel_behind(&platform);
    let victims = if Long::EveryMemberIsKilled.at_length() {
        members(&platform.status())
            .iter()
            .map(|(_, member)| name(member))
            .collect()
    } else {
        one_of_each_kind(&platform.status())
    };
    for member in &victims {
        strike(&platform, std::slice::from_ref(member));
    }
    broker_sessions_were_ended(&platform, &victims);
    runtime.block_on(ledger.progress(WHOLE_AGAIN));
    for store in ["etcd", "postgres", "redis", "kafka"] {
        let all: Vec<String> = members(&platform.status())
            .iter()
            .filter(|(component, _)| component == store)
            .map(|(_, member)| name(member))
            .collect();
        strike(&platform, &all);
    }
    runtime.block_on(ledger.progress(WHOLE_AGAIN));

    change_the_stores(&platform);
    runtime.block_on(ledger.progress(WHOLE_AGAIN));
    lose_the_supervisor(&platform);
    runtime.block_on(ledger.progress(WHOLE_AGAIN));
    lose_everything(&platform);
    runtime.block_on(ledger.progress(WHOLE_AGAIN));
    runtime.block_on(ledger.judge());
}

fn name(member: &Value) -> String {
    member["name"].as_str().unwrap().to_owned()
}

/// Of `postgres-1` to `postgres-3` the one that leads, of `sentinel-1` to `sentinel-3` the first, and so on.
fn one_of_each_kind(status: &Value) -> Vec<String> {
    let mut kinds = BTreeMap::new();
    for (_, member) in members(status) {
        let name = name(&member);
        let kind = name.rsplit_once('-').map_or(name.as_str(), |(kind, _)| kind).to_owned();
        let leads = member["role"] == "leader" || member["role"] == "master";
        if leads || !kinds.contains_key(&kind) {
            kinds.insert(kind, name);
        }
    }
    assert!(
        kinds.contains_key("postgres") && kinds.contains_key("kafka"),
        "{kinds:?}"
    );
    kinds.into_values().collect()
}

fn kill_9(pid: i32) {
    // A process that is gone already is what was wanted.
    let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
}

/// PostgreSQL lives in a session of its own: killing the member means its Patroni and its postmaster.
fn postmaster(platform: &TestPlatform, member: &str) -> Option<i32> {
    let file = platform
        .state()
        .join("members")
        .join(member)
        .join("data/postmaster.pid");
    std::fs::read_to_string(file).ok()?.lines().next()?.trim().parse().ok()
}

fn runs_anew(status: &Value, name: &str, old: i32) -> bool {
    let pid = member(status, name)["pid"].as_u64();
    pid.is_some_and(|pid| pid != u64::from(old.unsigned_abs()))
}

/// Kills members with everything of theirs at once, and waits until they run anew and all is healthy.
fn strike(platform: &TestPlatform, names: &[String]) {
    let before = platform.status();
    let mut pids = BTreeMap::new();
    for name in names {
        pids.insert(name.clone(), pid(&member(&before, name)));
    }
    for (name, pid) in &pids {
        let postmaster = name
            .starts_with("postgres-")
            .then(|| postmaster(platform, name))
            .flatten();
        kill_9(*pid);
        postmaster.into_iter().for_each(kill_9);
    }
    let begin = std::time::Instant::now();
    platform.wait_for(&format!("healthy after kill -9 of {names:?}"), WHOLE_AGAIN, |status| {
        let anew = pids.iter().all(|(name, old)| runs_anew(status, name, *old));
        anew && status["verdict"] == "healthy"
    });
    eprintln!(
        "killed {}: healthy again after {:.1} s",
        names.join(", "),
        begin.elapsed().as_secs_f64()
    );
}

/// One that names another master than the others, of an equally late failover, never learns it from them; it is started anew.
fn leave_a_sentinel_behind(platform: &TestPlatform) {
    let file = platform.state().join("members/sentinel-1/start.json");
    let start: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (own, other) = (&start["own"], &start["servers"][1]);
    let old = pid(&member(&platform.status(), "sentinel-1"));
    let mut sentinel = TcpStream::connect(format!("{}:{}", text(&own["host"]), own["port"])).unwrap();
    sentinel.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    for command in [
        format!("AUTH {}", text(&start["sentinel_password"])),
        "SENTINEL REMOVE nova".to_owned(),
        format!("SENTINEL MONITOR nova {} {} 2", text(&other["host"]), other["port"]),
        format!("SENTINEL SET nova auth-pass {}", text(&start["password"])),
    ] {
        sentinel.write_all(format!("{command}\r\n").as_bytes()).unwrap();
        let mut answer = [0; 5];
        sentinel.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"+OK\r\n", "{}", command.split(' ').next().unwrap());
    }
    assert_ne!(platform.status()["verdict"], "healthy", "the Sentinels disagree");
    platform.wait_for("the Sentinels agree", WHOLE_AGAIN, |status| {
        runs_anew(status, "sentinel-1", old) && status["verdict"] == "healthy"
    });
}

/// The controllers did not wait for the sessions of brokers that were seen to end.
fn broker_sessions_were_ended(platform: &TestPlatform, killed: &[String]) {
    let log = std::fs::read_to_string(platform.state().join("supervisor.log")).unwrap();
    for broker in killed.iter().filter(|name| name.starts_with("kafka-")) {
        let told = |line: &str| line.contains("its session was ended") && line.contains(broker.as_str());
        assert!(log.lines().any(told), "{broker}: {log}");
    }
}

/// Settings that every member of a store must restart for: one member at a time, so that the others go on serving.
fn change_the_stores(platform: &TestPlatform) {
    let before = platform.status();
    platform.describe("[postgres]\nmax_connections = 210\n[redis]\nmaxmemory = \"500MB\"\n[kafka]\nheap = \"250MB\"\n");
    let call = platform.nova(&["deploy", "--yes"]).expect_code(0);
    for store in ["redis", "kafka"] {
        for number in 1..=3 {
            let turn = format!(", {number} of 3");
            let shown = |line: &str| line.contains(&format!("{store}: changing {store}-")) && line.ends_with(&turn);
            assert!(call.stderr.lines().any(shown), "{}", call.stderr);
            let name = format!("{store}-{number}");
            let (old, new) = (member(&before, &name), member(&platform.status(), &name));
            assert_ne!(pid(&old), pid(&new), "{name} goes on with the old setting");
        }
    }
    let restarted = |line: &str| line.contains("changed PostgreSQL settings max_connections");
    assert!(call.stderr.lines().any(restarted), "{}", call.stderr);
}

fn supervisor(platform: &TestPlatform) -> i32 {
    let lock = std::fs::read_to_string(platform.state().join("supervisor.lock")).unwrap();
    let lock: Value =
        serde_json::from_str(&lock).unwrap_or_else(|error| panic!("{error}: supervisor.lock holds {lock:?}"));
    pid(&lock["process"])
}

/// The members go on under their old pids, and the next command takes them over.
fn lose_the_supervisor(platform: &TestPlatform) {
    let before = members(&platform.status());
    kill_9(supervisor(platform));
    for (_, member) in &before {
        assert!(
            kill(Pid::from_raw(pid(member)), None).is_ok(),
            "{member} ended with its supervisor"
        );
    }
    platform.nova(&["deploy", "--yes"]).expect_code(0);
    let after = platform.status();
    for (_, old) in &before {
        assert_eq!(
            pid(&member(&after, &name(old))),
            pid(old),
            "{} was restarted",
            name(old)
        );
    }
    // It is in charge again: what dies is started anew.
    strike(platform, &["redis-1".to_owned()]);
}

fn lose_everything(platform: &TestPlatform) {
    let all = members(&platform.status());
    kill_9(supervisor(platform));
    for (_, member) in &all {
        let name = name(member);
        let postmaster = name
            .starts_with("postgres-")
            .then(|| postmaster(platform, &name))
            .flatten();
        kill_9(pid(member));
        postmaster.into_iter().for_each(kill_9);
    }
    platform.nova(&["deploy", "--yes"]).expect_code(0);
    platform.wait_for("healthy after the loss of everything", WHOLE_AGAIN, |status| {
        status["verdict"] == "healthy"
    });
}
