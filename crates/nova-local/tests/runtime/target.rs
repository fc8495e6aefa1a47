//! The target as the rollout uses it.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nova_local::layout::{Layout, Owner};
use nova_local::plan::{MemberPlan, PlannedFile, StopSignal};
use nova_local::process::Identity;
use nova_local::target::{LocalError, LocalTarget};
use nova_platform::components::ComponentId;
use nova_platform::endpoints::HostPort;
use nova_platform::spec::Spec;
use nova_platform::target::{Action, LogQuery, RunState, Target};

use crate::support::{Bystander, Home, kill_hard, until};

fn spec() -> Spec {
    nova_platform::load::load(None).unwrap().spec
}

fn member(name: &str, component: &str, script: &str) -> MemberPlan {
    MemberPlan {
        name: name.to_owned(),
        component: component.into(),
        node: "node-1".to_owned(),
        program: PathBuf::from("/bin/sh"),
        args: vec!["-c".to_owned(), script.to_owned()],
        env: [("PATH".to_owned(), "/usr/bin:/bin".to_owned())].into(),
        files: vec![
            PlannedFile {
                path: "etc/base.conf".into(),
                content: "base\n".into(),
                once: false,
                at_start: false,
            },
            PlannedFile {
                path: "own.conf".into(),
                content: "own\n".into(),
                once: true,
                at_start: false,
            },
        ],
        directories: vec!["data/deep".into()],
        ports: Vec::new(),
        children: Vec::new(),
        leader_key: None,
        postgres: None,
        redis: None,
        kafka: None,
        sentinel: None,
        etcd: None,
        stop_signal: StopSignal::Term,
        stop_grace: Duration::from_secs(10),
    }
}

fn two() -> Vec<MemberPlan> {
    vec![
        member("etcd-1", "etcd", "echo etcd; exec sleep 600"),
        member("redis-1", "redis", "echo one; echo two; exec sleep 600"),
    ]
}

fn target(home: &Home, members: Vec<MemberPlan>) -> LocalTarget {
    LocalTarget::with_plans(
        &spec(),
        home.layout.clone(),
        home.owner.clone(),
        home.program(),
        members,
    )
}

async fn actions(target: &LocalTarget) -> Vec<(String, Action, Option<String>)> {
    let plan = target.plan().await.unwrap();
    plan.steps
        .into_iter()
        .map(|step| (step.member, step.action, step.reason))
        .collect()
}

async fn pids(target: &LocalTarget) -> Vec<u32> {
    target
        .inspect()
        .await
        .unwrap()
        .into_iter()
        .filter_map(|member| member.pid)
        .collect()
}

#[tokio::test]
async fn a_platform_comes_changes_and_goes() {
    let home = Home::new();
    let first = target(&home, two());
    assert!(!first.is_deployed().unwrap());
    assert!(matches!(first.inspect().await, Err(LocalError::NotDeployed(_))));
    let step = |member: &str, action, reason: Option<&str>| (member.to_owned(), action, reason.map(ToOwned::to_owned));
    assert_eq!(
        actions(&first).await,
        [
            step("etcd-1", Action::Create, None),
            step("redis-1", Action::Create, None)
        ]
    );
    for component in [ComponentId::Etcd, ComponentId::Redis] {
        first.apply(&component).await.unwrap();
    }
    let own = home.layout.member("redis-1").join("own.conf");
    std::fs::write(&own, "rewritten by its program\n").unwrap();

    // The same again does nothing.
    let second = target(&home, two());
    assert!(second.plan().await.unwrap().is_unchanged());
    let before = pids(&second).await;
    for component in [ComponentId::Etcd, ComponentId::Redis] {
        second.apply(&component).await.unwrap();
    }
    second.prune().await.unwrap();
    assert_eq!(pids(&second).await, before);
    let status = second.inspect_members(true).await.unwrap();
    let redis = status.iter().find(|member| member.name == "redis-1").unwrap();
    assert_eq!((redis.state, redis.restarts), (RunState::Running, 0));
    assert!(redis.memory_bytes.is_some_and(|bytes| bytes > 10_000), "{redis:?}");
    assert!(
        status
            .iter()
            .any(|member| member.name == "kafka-3" && member.state == RunState::Stopped)
    );

    // A changed file restarts that member only; a file that the program owns stays.
    let mut changed = two();
    changed[1].files[0].content = "other\n".into();
    changed[1].files[1].content = "not seen\n".into();
    changed.remove(0);
    let third = target(&home, changed);
    let wanted = [
        step("redis-1", Action::Change, Some("etc/base.conf")),
        step("etcd-1", Action::Delete, None),
    ];
    assert_eq!(actions(&third).await, wanted);
    third.apply(&ComponentId::Redis).await.unwrap();
    third.prune().await.unwrap();
    assert_eq!(std::fs::read_to_string(&own).unwrap(), "rewritten by its program\n");
    assert_eq!(actions(&third).await, [step("redis-1", Action::Keep, None)]);
    assert!(!pids(&third).await.iter().any(|pid| before.contains(pid)));
    assert!(home.layout.member("etcd-1").join("data/deep").is_dir(), "data stays");

    let query = LogQuery {
        tail: Some(1),
        previous: true,
    };
    assert_eq!(third.logs("redis-1", &query).await.unwrap(), ["two"]);
    assert!(matches!(
        third.logs("../redis-1", &query).await,
        Err(LocalError::UnknownMember { .. })
    ));
    assert!(matches!(
        third.apply(&"mongo".into()).await,
        Err(LocalError::UnknownComponent { .. })
    ));

    let removal = third.remove(false).await.unwrap();
    assert_eq!((removal.members, removal.left.as_slice()), (1, [].as_slice()));
    assert!(removal.data.is_some() && home.processes().is_empty() && home.supervisor().is_none());
    assert_eq!(names(home.layout.directory()), ["members", "platform.json"]);
    assert!(matches!(third.inspect().await, Err(LocalError::NotDeployed(_))));
    let removal = third.remove(true).await.unwrap();
    assert_eq!((removal.left.as_slice(), removal.data), ([].as_slice(), None));
    assert!(!home.layout.directory().exists());
    assert!(matches!(third.remove(true).await, Err(LocalError::NotDeployed(_))));
}

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = entries.collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_taken_port_names_its_holder_and_nothing_is_started() {
    let home = Home::new();
    let listener = TcpListener::bind("127.93.0.1:0").unwrap();
    let mut members = two();
    members[1].ports = vec![HostPort::new("127.93.0.1", listener.local_addr().unwrap().port())];
    let target = target(&home, members);
    let error = target.apply(&ComponentId::Redis).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("redis-1") && text.contains(&format!("process {}", std::process::id())),
        "{text}"
    );
    assert!(home.processes().is_empty() && !home.layout.member("redis-1").exists());
    drop(listener);
    target.apply(&ComponentId::Redis).await.unwrap();
}

#[tokio::test]
async fn a_port_that_the_member_itself_has_is_no_obstacle() {
    let home = Home::new();
    let address = "127.93.0.2:47113";
    let listen = "import socket,time; s=socket.create_server((\"127.93.0.2\", 47113)); time.sleep(600)";
    let script = format!("setsid python3 -c '{listen}' & exec sleep 600");
    let mut members = vec![member("redis-1", "redis", &script)];
    members[0].ports = vec![HostPort::new("127.93.0.2", 47113)];
    let listens = || std::net::TcpStream::connect(address).is_ok();
    let first = target(&home, members.clone());
    first.apply(&ComponentId::Redis).await.unwrap();
    until("it listens", listens).await;
    members[0].files[0].content = "changed\n".into();
    target(&home, members.clone()).apply(&ComponentId::Redis).await.unwrap();
    until("it listens again", listens).await;

    // Neither is one that a program has which a killed member left.
    let (supervisor, main) = (home.supervisor().unwrap(), pids(&first).await[0].cast_signed());
    kill_hard(supervisor.pid);
    kill_hard(main);
    until("both are dead", || {
        !supervisor.is_alive() && Identity::of(main).is_none()
    })
    .await;
    assert!(listens());
    target(&home, members).apply(&ComponentId::Redis).await.unwrap();
    until("it listens once more", listens).await;
    let removal = first.remove(true).await.unwrap();
    assert!(removal.left.is_empty() && !listens(), "{removal:?}");
}

#[tokio::test]
async fn a_member_that_cannot_start_is_named_with_its_reason() {
    let home = Home::new();
    let mut members = two();
    members[1].program = "/nonexistent/redis-server".into();
    let error = target(&home, members).apply(&ComponentId::Redis).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "redis-1: cannot start /nonexistent/redis-server: no such program"
    );
}

#[tokio::test]
async fn members_that_outlived_their_supervisor_are_taken_over_by_looking_and_removed_without_it() {
    let home = Home::new();
    let looked = target(&home, two());
    looked.apply(&ComponentId::Etcd).await.unwrap();
    looked.apply(&ComponentId::Redis).await.unwrap();
    let before = pids(&looked).await;
    let kill_supervisor = || async {
        let supervisor = home.supervisor().unwrap();
        kill_hard(supervisor.pid);
        until("dead", || !supervisor.is_alive()).await;
    };
    kill_supervisor().await;
    assert_eq!(pids(&looked).await, before);
    assert!(home.supervisor().is_some());

    kill_supervisor().await;
    let removal = looked.remove(true).await.unwrap();
    assert_eq!((removal.members, removal.left.as_slice()), (2, [].as_slice()));
    assert!(home.processes().is_empty() && !home.layout.directory().exists());
}

#[tokio::test]
async fn everything_killed_waits_for_a_deploy() {
    let home = Home::new();
    let target_of = || target(&home, two());
    let first = target_of();
    first.apply(&ComponentId::Etcd).await.unwrap();
    first.apply(&ComponentId::Redis).await.unwrap();
    let supervisor = home.supervisor().unwrap();
    kill_hard(supervisor.pid);
    for pid in pids_of(&home) {
        kill_hard(pid);
    }
    until("all dead", || home.processes().is_empty() && !supervisor.is_alive()).await;
    let status = first.inspect().await.unwrap();
    assert!(status.iter().all(|member| member.state == RunState::Stopped));
    assert!(home.supervisor().is_none(), "looking starts nothing");
    let again = target_of();
    assert_eq!(again.plan().await.unwrap().count(Action::Start), 2);
    again.apply(&ComponentId::Etcd).await.unwrap();
    again.apply(&ComponentId::Redis).await.unwrap();
    assert_eq!(pids(&again).await.len(), 2);
}

fn pids_of(home: &Home) -> Vec<i32> {
    home.processes().into_iter().map(|process| process.pid).collect()
}

#[tokio::test]
async fn a_frozen_supervisor_does_not_keep_a_platform_from_being_removed() {
    let home = Home::new();
    let target = target(&home, two());
    target.apply(&ComponentId::Redis).await.unwrap();
    let supervisor = home.supervisor().unwrap();
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(supervisor.pid),
        nix::sys::signal::Signal::SIGSTOP,
    )
    .unwrap();
    let removal = target.remove(true).await.unwrap();
    assert!(removal.left.is_empty(), "{removal:?}");
    assert!(!supervisor.is_alive() && home.processes().is_empty() && !home.layout.directory().exists());
}

#[tokio::test]
async fn one_command_at_a_time_changes_a_platform() {
    let home = Home::new();
    let target = target(&home, two());
    let held = target.lock("nova deploy").unwrap();
    let error = target.lock_existing("nova cleanup").unwrap_err();
    assert!(error.to_string().contains("`nova deploy`"), "{error}");
    drop(held);
    target.lock_existing("nova cleanup").unwrap();
}

#[tokio::test]
async fn the_state_of_another_user_or_version_is_refused_before_anything_happens() {
    let home = Home::new();
    let stranger = Owner {
        uid: home.owner.uid + 1,
        gid: home.owner.gid,
        name: "stranger".into(),
    };
    let foreign = LocalTarget::with_plans(&spec(), home.layout.clone(), stranger, home.program(), two());
    assert!(matches!(
        foreign.apply(&ComponentId::Redis).await,
        Err(LocalError::State(_))
    ));
    std::fs::write(home.layout.platform_file(), r#"{"format":9}"#).unwrap();
    let error = target(&home, two()).apply(&ComponentId::Redis).await.unwrap_err();
    assert!(error.to_string().contains("format 9"), "{error}");
    assert!(home.supervisor().is_none());

    let nowhere = Layout::at(home.layout.directory().join("members/none"));
    let absent = LocalTarget::with_plans(&spec(), nowhere, home.owner.clone(), home.program(), two());
    assert!(matches!(absent.remove(true).await, Err(LocalError::NotDeployed(_))));
}

#[tokio::test]
async fn a_platform_whose_state_directory_was_removed_is_ended_and_deployed_anew() {
    let home = Home::new();
    let script = "echo started; while sleep 0.05; do mkdir -p data && date >> data/written; done";
    let members = || {
        vec![
            member("etcd-1", "etcd", script),
            member("redis-1", "redis", "exec sleep 600"),
        ]
    };
    let first = target(&home, members());
    for component in [ComponentId::Etcd, ComponentId::Redis] {
        first.apply(&component).await.unwrap();
    }
    let bystander = Bystander::in_directory(&home.layout.member("redis-1"));
    std::fs::remove_dir_all(home.layout.directory()).unwrap();
    // As a program that makes its directory again when it writes.
    std::fs::create_dir_all(home.layout.member("etcd-1")).unwrap();
    std::fs::write(home.layout.member("etcd-1").join("written"), "later").unwrap();

    let again = target(&home, members());
    let error = again.lock("nova deploy").unwrap_err();
    assert!(
        matches!(error, LocalError::StateLost { processes, .. } if processes >= 3),
        "{error}"
    );
    assert!(error.to_string().contains("`nova cleanup`"), "{error}");
    assert!(matches!(again.has_state(), Err(LocalError::StateLost { .. })));

    let removal = again.remove_strays().await.unwrap();
    assert!(removal.left.is_empty() && removal.members >= 3, "{removal:?}");
    assert!(home.processes().is_empty());
    assert!(again.strays().unwrap().is_empty());
    assert!(bystander.identity().is_alive(), "a person's shell there is nobody's");
    let aside = PathBuf::from(removal.data.unwrap());
    assert_eq!(
        std::fs::read_to_string(aside.join("members/etcd-1/written")).unwrap(),
        "later"
    );
    assert!(!again.has_state().unwrap());

    drop(again.lock("nova deploy").unwrap());
    let anew = target(&home, members());
    anew.apply(&ComponentId::Redis).await.unwrap();
    assert_eq!(pids(&anew).await.len(), 1);
}
