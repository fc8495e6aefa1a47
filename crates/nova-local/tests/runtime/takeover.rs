//! The supervisor ends, is killed or replaced; the members go on.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use nova_local::process::Identity;
use nova_local::supervisor::{Request, ensure_running};
use nova_platform::target::RunState;

use crate::support::{Bystander, Home, identity, kill_hard, runs_as_another, until};

async fn kill_supervisor(home: &Home) {
    let supervisor = home.supervisor().unwrap();
    kill_hard(supervisor.pid);
    until("the supervisor is dead", || !supervisor.is_alive()).await;
}

#[tokio::test]
async fn members_of_a_killed_supervisor_are_adopted_with_their_pids() {
    let home = Home::new();
    home.supervise().await;
    let first = home.ensure(&home.member("redis-1", "exec sleep 600")).await;
    let second = home.ensure(&home.member("redis-2", "exec sleep 600")).await;
    kill_supervisor(&home).await;
    kill_hard(second.pid.unwrap().cast_signed());
    until("redis-2 is dead", || {
        Identity::of(second.pid.unwrap().cast_signed()).is_none()
    })
    .await;

    home.supervise().await;
    let adopted = home.report("redis-1").await;
    assert_eq!(
        (adopted.state, adopted.pid, adopted.restarts),
        (RunState::Running, first.pid, 0)
    );
    assert_eq!(adopted.started_at_ms, first.started_at_ms);
    let restarted = home
        .until("redis-2", |report| runs_as_another(report, second.pid))
        .await;
    assert!(restarted.last_exit.unwrap().contains("no supervisor was watching"));

    // The end of an adopted process is noticed as well.
    kill_hard(first.pid.unwrap().cast_signed());
    let again = home.until("redis-1", |report| runs_as_another(report, first.pid)).await;
    assert!(again.last_exit.unwrap().contains("unknown"));
    home.stop("redis-1").await;
    home.stop("redis-2").await;
    assert!(home.processes().is_empty());
}

#[tokio::test]
async fn a_pid_that_was_given_to_another_process_is_neither_adopted_nor_killed() {
    let home = Home::new();
    home.supervise().await;
    let other = home.ensure(&home.member("redis-2", "exec sleep 600")).await;
    let first = home.ensure(&home.member("redis-1", "exec sleep 600")).await;
    let born = identity(&first).start;
    kill_supervisor(&home).await;
    kill_hard(first.pid.unwrap().cast_signed());
    // The clock ticks every 10 ms only; a number that is used again comes around much later.
    let bystander = loop {
        let bystander = Bystander::start();
        if bystander.identity().start != born {
            break bystander;
        }
    };
    let stranger = bystander.identity();
    let notes = std::fs::read_to_string(home.layout.members_file()).unwrap();
    let noted = format!("\"pid\":{}", first.pid.unwrap());
    assert!(notes.contains(&noted), "{notes}");
    std::fs::write(
        home.layout.members_file(),
        notes.replace(&noted, &format!("\"pid\":{}", stranger.pid)),
    )
    .unwrap();

    home.supervise().await;
    let restarted = home.until("redis-1", |report| runs_as_another(report, first.pid)).await;
    assert_ne!(restarted.pid.unwrap().cast_signed(), stranger.pid);
    assert_eq!(home.report("redis-2").await.pid, other.pid);
    home.stop("redis-1").await;
    assert!(stranger.is_alive());
}

#[tokio::test]
async fn after_another_boot_no_pid_means_anything() {
    let home = Home::new();
    home.supervise().await;
    let first = home.ensure(&home.member("redis-1", "exec sleep 600")).await;
    let process = identity(&first);
    kill_supervisor(&home).await;
    let notes = std::fs::read_to_string(home.layout.members_file()).unwrap();
    let boot = nova_local::process::boot_id();
    std::fs::write(home.layout.members_file(), notes.replace(&boot, "another")).unwrap();
    home.supervise().await;
    // Nothing seems to run, so members wait for a deploy that starts them in order; that one finds the stray by its mark.
    assert_eq!(home.report("redis-1").await.state, RunState::Stopped);
    let started = home.ensure(&home.member("redis-1", "exec sleep 600")).await;
    assert!(runs_as_another(&started, first.pid) && !process.is_alive());
}

#[tokio::test]
async fn a_stop_that_was_cut_short_is_carried_on() {
    let home = Home::new();
    home.supervise().await;
    let script = "trap '' TERM; echo ready; while :; do sleep 0.05; done";
    let report = home.ensure(&home.member("redis-1", script)).await;
    until("ready", || home.log("redis-1").contains("ready")).await;
    let client = home.client();
    let stop = Request::Stop {
        member: "redis-1".into(),
        grace_ms: None,
    };
    let stopping = tokio::spawn(async move { client.ask(&stop).await });
    let notes = || std::fs::read_to_string(home.layout.members_file()).unwrap();
    until("the wish is written down", || {
        notes().contains("\"wanted\":\"stopped\"")
    })
    .await;
    kill_supervisor(&home).await;
    stopping.await.unwrap().unwrap_err();
    assert!(identity(&report).is_alive());
    home.supervise().await;
    home.until("redis-1", |report| report.state == RunState::Stopped).await;
    assert!(home.processes().is_empty());
}

#[tokio::test]
async fn a_supervisor_that_is_asked_to_end_leaves_its_members() {
    let home = Home::new();
    for signal in [Signal::SIGTERM, Signal::SIGHUP] {
        let supervisor = home.supervise().await;
        let report = home.ensure(&home.member("redis-1", "exec sleep 600")).await;
        kill(Pid::from_raw(supervisor.pid), signal).unwrap();
        if signal == Signal::SIGTERM {
            until("it ends", || !supervisor.is_alive()).await;
            assert!(!home.layout.supervisor_socket().exists());
        } else {
            home.client().list().await.unwrap();
            assert!(supervisor.is_alive(), "a closed terminal must not end it");
        }
        assert!(identity(&report).is_alive());
    }
}

#[tokio::test]
async fn a_supervisor_of_another_build_is_replaced_and_members_keep_their_pids() {
    let home = Home::new();
    let old = home.supervise().await;
    let member = home.ensure(&home.member("redis-1", "exec sleep 600")).await;
    let mut program = home.program();
    let copy = home.layout.bin().join("another-build");
    std::fs::copy(&program.path, &copy).unwrap();
    program.path = copy;
    let report = ensure_running(&home.layout, &home.owner, &program).await.unwrap();
    assert!(!old.is_alive());
    assert_eq!(report.program, program.path);
    assert_eq!(report.members[0].pid, member.pid);
}
