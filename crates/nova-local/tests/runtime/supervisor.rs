//! Members are started, restarted and written down.

use std::process::Command;

use nova_local::supervisor::{ClientError, Request, ensure_running};
use nova_platform::target::RunState;

use crate::support::{Home, STATE, identity, kill_hard, runs_as_another, until};

#[tokio::test]
async fn a_crashed_member_starts_again_and_its_end_is_told() {
    let home = Home::new();
    home.supervise().await;
    let first = home
        .ensure(&home.member("redis-1", "echo started; exec sleep 600"))
        .await;
    assert_eq!(
        (first.state, first.restarts, first.last_exit.as_deref()),
        (RunState::Running, 0, None)
    );
    kill_hard(first.pid.unwrap().cast_signed());
    let second = home.until("redis-1", |report| runs_as_another(report, first.pid)).await;
    assert_eq!(
        (second.restarts, second.last_exit.as_deref()),
        (1, Some("signal 9 (SIGKILL)"))
    );
    assert!(second.last_exit_at_ms.is_some() && second.started_at_ms >= first.started_at_ms);
}

#[tokio::test]
async fn a_member_that_always_ends_at_once_is_failing_and_another_description_heals_it() {
    let home = Home::new();
    home.supervise().await;
    home.ensure(&home.member("redis-1", "echo oops; exit 7")).await;
    let failed = home.until("redis-1", |report| report.state == RunState::Failed).await;
    assert_eq!(failed.last_exit.as_deref(), Some("exit status 7"));
    assert!(failed.restarts >= 4, "{failed:?}");
    let healed = home.ensure(&home.member("redis-1", "exec sleep 600")).await;
    assert_eq!(healed.state, RunState::Running);
}

#[tokio::test]
async fn a_missing_program_is_told_at_once_and_started_when_it_comes() {
    let home = Home::new();
    home.supervise().await;
    let mut launch = home.member("redis-1", "unused");
    launch.program = home.layout.member("redis-1").join("server");
    launch.args.clear();
    let request = Request::Ensure {
        launch: Box::new(launch.clone()),
    };
    let error = home.client().ask(&request).await.unwrap_err();
    assert!(
        matches!(&error, ClientError::Refused(reason) if reason.contains("no such program")),
        "{error}"
    );
    assert_eq!(home.report("redis-1").await.state, RunState::Failed);
    std::os::unix::fs::symlink("/usr/bin/yes", &launch.program).unwrap();
    home.until("redis-1", |report| report.state == RunState::Running).await;
}

#[tokio::test]
async fn nothing_is_restarted_for_the_same_description_and_everything_for_another() {
    let home = Home::new();
    home.supervise().await;
    let launch = home.member("redis-1", "exec sleep 600");
    let first = home.ensure(&launch).await;
    let mut other_grace = launch.clone();
    other_grace.stop_grace_ms = 5_000;
    let same = home.ensure(&other_grace).await;
    assert_eq!((same.pid, same.launch.stop_grace_ms), (first.pid, 5_000));
    let changed = home.ensure(&home.member("redis-1", "exec sleep 601")).await;
    assert!(runs_as_another(&changed, first.pid), "{changed:?}");
    assert_eq!(changed.restarts, 0, "a change is not a crash");
}

#[tokio::test]
async fn nothing_is_inherited_and_a_member_stands_alone() {
    let home = Home::new();
    home.supervise().await;
    let script = "env; ls -l /proc/self/fd | sed 's/.* -> //'; ulimit -n; ps -o pid=,pgid= -p $$; exec sleep 600";
    let report = home.ensure(&home.member("redis-1", script)).await;
    let pid = report.pid.unwrap();
    until("the script has written", || {
        home.log("redis-1").contains(&format!("{pid} "))
    })
    .await;
    let log = home.log("redis-1");
    assert!(
        log.contains(&format!(
            "NOVA_MEMBER_DIRECTORY={}",
            home.layout.member("redis-1").display()
        )),
        "{log}"
    );
    assert!(
        log.contains("NOVA_MEMBER=nova/redis-1") && !log.contains(STATE) && !log.contains("HOME="),
        "{log}"
    );
    assert!(!log.contains("supervisor.lock") && !log.contains("socket:"), "{log}");
    let group = log.lines().last().unwrap().split_whitespace().collect::<Vec<_>>();
    assert_eq!(group[0], group[1], "{log}");
}

#[tokio::test]
async fn the_log_of_the_last_start_is_kept_and_a_large_one_is_rotated() {
    let home = Home::new();
    home.supervise().await;
    home.ensure(&home.member("redis-1", "echo first; exec sleep 600")).await;
    until("first", || home.log("redis-1").contains("first")).await;
    let script =
        "yes a long line of a log | head -n 200; touch written; read -r line < more; echo after; exec sleep 600";
    let mut second = home.member("redis-1", script);
    second.log_max_bytes = 1000;
    nix::unistd::mkfifo(
        &home.layout.member("redis-1").join("more"),
        nix::sys::stat::Mode::S_IRWXU,
    )
    .unwrap();
    home.ensure(&second).await;
    let previous = || std::fs::read_to_string(home.layout.previous_log("redis-1")).unwrap_or_default();
    assert_eq!(previous(), "first\n");
    until("rotated", || {
        previous().contains("a long line") && home.log("redis-1").is_empty()
    })
    .await;
    std::fs::write(home.layout.member("redis-1").join("more"), "go\n").unwrap();
    until("the log goes on", || home.log("redis-1") == "after\n").await;
}

#[tokio::test]
async fn a_member_starts_again_although_the_logs_are_gone() {
    let home = Home::new();
    home.supervise().await;
    let first = home
        .ensure(&home.member("redis-1", "echo started; exec sleep 600"))
        .await;
    std::fs::remove_dir_all(home.layout.logs()).unwrap();
    kill_hard(first.pid.unwrap().cast_signed());
    home.until("redis-1", |report| runs_as_another(report, first.pid)).await;
    until("its log is there again", || {
        std::fs::read_to_string(home.layout.log("redis-1")).is_ok_and(|text| text == "started\n")
    })
    .await;
}

#[tokio::test]
async fn what_is_the_supervisors_own_is_made_again_when_it_was_removed() {
    let home = Home::new();
    let supervisor = home.supervise().await;
    let member = home.ensure(&home.member("redis-1", "exec sleep 600")).await;
    for file in [
        home.layout.supervisor_socket(),
        home.layout.supervisor_lock(),
        home.layout.members_file(),
    ] {
        std::fs::remove_file(&file).unwrap();
        until("made again", || file.exists()).await;
    }
    assert_eq!(
        home.supervise().await,
        supervisor,
        "it is found, and no second one begins"
    );
    assert_eq!(home.report("redis-1").await.pid, member.pid);
    let notes = std::fs::read_to_string(home.layout.members_file()).unwrap();
    assert!(notes.contains("redis-1"), "{notes}");
}

#[tokio::test]
async fn a_second_supervisor_is_refused() {
    let home = Home::new();
    let first = home.supervise().await;
    let program = home.program();
    let second = Command::new(&program.path)
        .args(&program.args)
        .envs(program.env)
        .output()
        .unwrap();
    assert!(!second.status.success());
    let said = String::from_utf8_lossy(&[second.stdout, second.stderr].concat()).into_owned();
    assert!(said.contains(&format!("process {}", first.pid)), "{said}");
    assert!(first.is_alive());
}

#[tokio::test]
async fn notes_of_an_unknown_version_are_not_touched() {
    let home = Home::new();
    let notes = r#"{"format":2,"members":"otherwise"}"#;
    std::fs::write(home.layout.members_file(), notes).unwrap();
    let error = ensure_running(&home.layout, &home.owner, &home.program())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("ended at once"), "{error}");
    let log = std::fs::read_to_string(home.layout.supervisor_log()).unwrap();
    assert!(log.contains("has format 2"), "{log}");
    assert_eq!(std::fs::read_to_string(home.layout.members_file()).unwrap(), notes);
}

#[tokio::test]
async fn names_cannot_lead_out_of_the_state_directory() {
    let home = Home::new();
    home.supervise().await;
    let mut launch = home.member("redis-1", "exec sleep 600");
    for name in ["../redis-1", "", "a/b", "REDIS", "redis 1"] {
        launch.member = name.to_owned();
        let request = Request::Ensure {
            launch: Box::new(launch.clone()),
        };
        assert!(
            matches!(home.client().ask(&request).await, Err(ClientError::Refused(_))),
            "{name:?}"
        );
    }
    assert!(home.client().list().await.unwrap().members.is_empty());
}

#[tokio::test]
async fn a_supervisor_works_at_the_end_of_a_long_path() {
    let home = Home::new();
    let deep = home.layout.directory().join("d".repeat(120)).join("nova");
    let deep = nova_local::layout::Layout::at(deep);
    nova_local::layout::create(&deep, &home.owner).unwrap();
    let mut program = home.program();
    program.env = vec![(STATE.to_owned(), deep.directory().to_string_lossy().into_owned())];
    let report = ensure_running(&deep, &home.owner, &program).await.unwrap();
    nova_local::supervisor::Client::new(&deep)
        .ask(&Request::Shutdown)
        .await
        .unwrap();
    let supervisor = nova_local::process::Identity::of(report.pid.cast_signed());
    until("it ends", || supervisor.is_none_or(|supervisor| !supervisor.is_alive())).await;
}

#[tokio::test]
async fn as_root_members_run_as_their_own_user() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let owner = nova_local::layout::Owner::of_members("nobody").unwrap();
    let uid = owner.uid;
    let home = Home::of(owner);
    let copy = home.layout.bin().join("supervisor");
    std::fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    let mut program = home.program();
    program.path = copy;
    ensure_running(&home.layout, &home.owner, &program).await.unwrap();
    let report = home
        .ensure(&home.member("redis-1", "id -u; id -G; exec sleep 600"))
        .await;
    assert!(identity(&report).is_alive());
    until("written", || home.log("redis-1").lines().count() == 2).await;
    assert_eq!(home.log("redis-1"), format!("{uid}\n{}\n", home.owner.gid));
}
