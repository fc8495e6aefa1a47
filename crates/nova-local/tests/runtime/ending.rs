//! A stopped member leaves no process, wherever it went; a crashed one leaves what it will find again.

use nova_local::process::{Family, Identity, Table};
use nova_local::supervisor::Launch;
use nova_platform::target::RunState;

use crate::support::{Bystander, Home, identity, kill_hard, runs_as_another, until};

fn family(home: &Home, launch: &Launch) -> Vec<Identity> {
    let family = Family::new(&home.layout, &launch.member, &launch.children, None);
    Table::read(home.owner.uid).of(&family)
}

fn is_called(pid: i32, line: &str) -> bool {
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|present| present == line.as_bytes())
}

fn find(line: &str) -> Option<Identity> {
    let pids = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.into_iter()
        .find(|pid| is_called(*pid, line))
        .and_then(Identity::of)
}

#[tokio::test]
async fn a_stop_ends_grandchildren_that_left_the_group_the_directory_or_their_environment_and_nobody_else() {
    let home = Home::new();
    home.supervise().await;
    home.member("redis-1", "");
    let bystander = Bystander::in_directory(&home.layout.member("redis-1"));
    // Told apart by their arguments, so that this test does not look with the eyes of what it tests.
    let length = |number: u32| format!("{}{number}", 1_000_000 + std::process::id());
    let [ignoring, silent, near, far] = [1, 2, 3, 4].map(length);
    let script = format!(
        "setsid sh -c 'cd /; trap \"\" TERM INT; sleep {ignoring}; sleep 600' & \
         setsid env -i sleep {silent} > /dev/null 2>&1 & env -i sleep {near} & (cd / && exec setsid env -i sleep {far}) & \
         trap 'exit 0' TERM; while :; do sleep 0.05; done"
    );
    let mut launch = home.member("redis-1", &script);
    launch.children = vec!["sleep".into()];
    let report = home.ensure(&launch).await;
    let all = || {
        let lengths = [&ignoring, &silent, &near, &far];
        lengths
            .into_iter()
            .filter_map(|length| find(&format!("sleep\0{length}\0")))
            .collect::<Vec<_>>()
    };
    until("all four are there", || all().len() == 4).await;
    let mut all = all();
    all.push(identity(&report));
    home.stop("redis-1").await;
    let alive: Vec<&Identity> = all.iter().filter(|process| process.is_alive()).collect();
    assert!(alive.is_empty() && family(&home, &launch).is_empty(), "{alive:?}");
    assert_eq!(home.report("redis-1").await.state, RunState::Stopped);
    assert!(bystander.identity().is_alive());
}

#[tokio::test]
async fn a_member_that_ignores_its_signal_is_killed_after_its_grace() {
    let home = Home::new();
    home.supervise().await;
    let mut launch = home.member("redis-1", "trap '' TERM; echo ready; while :; do sleep 0.05; done");
    launch.stop_grace_ms = 200;
    home.ensure(&launch).await;
    until("ready", || home.log("redis-1").contains("ready")).await;
    home.stop("redis-1").await;
    assert!(home.processes().is_empty());
}

#[tokio::test]
async fn a_crash_spares_the_children_that_the_member_finds_again_and_ends_the_rest() {
    let home = Home::new();
    home.supervise().await;
    let script = "[ -e once ] || { touch once; setsid sleep 600 & setsid tail -f /dev/null & }; \
                  echo ready; while :; do read -r line < /proc/self/stat; env sleep 0.05; done";
    let mut launch = home.member("postgres-1", script);
    launch.children = vec!["sleep".into()];
    let first = home.ensure(&launch).await;
    let named = |name: &str| Table::named(&home.processes(), &[name.to_owned()]);
    let is_lasting = |process: &Identity| is_called(process.pid, "sleep\x00600\x00");
    let lasting = || named("sleep").into_iter().find(is_lasting);
    until("both are there", || lasting().is_some() && named("tail").len() == 1).await;
    let (server, helper) = (lasting().unwrap(), named("tail")[0]);
    kill_hard(first.pid.unwrap().cast_signed());
    home.until("postgres-1", |report| runs_as_another(report, first.pid))
        .await;
    assert!(server.is_alive(), "what the member finds again goes on");
    assert!(!helper.is_alive(), "what it does not know is ended");
    home.stop("postgres-1").await;
    assert!(!server.is_alive());
}

#[tokio::test]
async fn strays_of_an_earlier_life_are_ended_before_the_first_start() {
    let home = Home::new();
    home.supervise().await;
    let mut launch = home.member(
        "postgres-1",
        "setsid sleep 600 & echo ready; exec cat /dev/zero > /dev/null",
    );
    launch.children = vec!["sleep".into()];
    let report = home.ensure(&launch).await;
    until("ready", || family(&home, &launch).len() == 2).await;
    let all = family(&home, &launch);
    let supervisor = home.supervisor().unwrap();
    kill_hard(supervisor.pid);
    kill_hard(report.pid.unwrap().cast_signed());
    until("dead", || !supervisor.is_alive()).await;
    std::fs::remove_file(home.layout.members_file()).unwrap();

    home.supervise().await;
    home.ensure(&home.member("postgres-1", "exec sleep 600")).await;
    assert!(all.iter().all(|process| !process.is_alive()));
}

#[tokio::test]
async fn what_lost_its_parent_and_ended_does_not_stay_as_a_dead_process() {
    let home = Home::new();
    home.supervise().await;
    let script = "(sleep 3 & echo $! > orphan.new; mv orphan.new orphan) & wait; exec sleep 600";
    home.ensure(&home.member("redis-1", script)).await;
    let orphan = home.layout.member("redis-1").join("orphan");
    until("it is started", || orphan.exists()).await;
    let pid = std::fs::read_to_string(&orphan).unwrap().trim().to_owned();
    let supervisor = home.supervisor().unwrap().pid.to_string();
    let parent = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        Some(stat.rsplit(')').next()?.split_whitespace().nth(1)?.to_owned())
    };
    until("it is the supervisor's", || parent().as_ref() == Some(&supervisor)).await;
    until("its end is taken note of", || parent().is_none()).await;
}
