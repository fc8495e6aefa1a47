//! Wrong usage, wrong descriptions, wrong surroundings: one clear message, the right exit code, nothing half-done.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use crate::support::TestPlatform;

fn refused(more: &str) -> String {
    let platform = TestPlatform::described(more);
    let call = platform.nova(&["deploy", "--yes"]).expect_code(2);
    assert!(
        !platform.state().exists(),
        "a refused description must leave nothing behind"
    );
    call.stderr
}

#[test]
fn a_mistyped_key_is_shown_at_its_line_with_the_right_one() {
    let stderr = refused("[redis]\nquorom = 2\n");
    assert!(stderr.contains("quorom") && stderr.contains("quorum"), "{stderr}");
    assert!(stderr.contains("nova.toml"), "{stderr}");
}

#[test]
fn an_even_quorum_is_refused() {
    let stderr = refused("[etcd]\nmembers = 4\n");
    assert!(
        stderr.contains("etcd.members") && stderr.contains("even number of voters"),
        "{stderr}"
    );
}

#[test]
fn more_in_sync_replicas_than_replicas_are_refused() {
    let stderr = refused("[kafka]\nmin_insync_replicas = 4\n");
    assert!(
        stderr.contains("min_insync_replicas") && stderr.contains("replication_factor"),
        "{stderr}"
    );
}

#[test]
fn a_pool_larger_than_the_servers_connections_is_refused() {
    let stderr = refused("[services.user-service]\ndatabase_pool = 100\n");
    assert!(stderr.contains("max_connections"), "{stderr}");
}

#[test]
fn toml_that_does_not_parse_is_shown_at_its_line() {
    let stderr = refused("[redis\n");
    assert!(stderr.contains("nova.toml"), "{stderr}");
}

#[test]
fn a_description_that_cannot_be_read_is_named() {
    let platform = TestPlatform::described("");
    let call = platform.nova(&["status", "-f", "absent.toml"]).expect_code(2);
    assert!(call.stderr.contains("absent.toml"), "{}", call.stderr);
    let directory = platform.directory();
    let call = platform
        .nova(&["status", "-f", directory.to_str().unwrap()])
        .expect_code(2);
    assert!(call.stderr.contains(directory.to_str().unwrap()), "{}", call.stderr);
    std::fs::write(directory.join("latin.toml"), b"[platform]\nname = \"caf\xe9\"\n").unwrap();
    let call = platform.nova(&["status", "-f", "latin.toml"]).expect_code(2);
    assert!(call.stderr.contains("UTF-8"), "{}", call.stderr);
}

#[test]
fn unknown_commands_flags_and_components_are_wrong_usage() {
    let platform = TestPlatform::described("");
    platform.nova(&["explode"]).expect_code(2);
    platform.nova(&["deploy", "--loud"]).expect_code(2);
    platform.nova(&["deploy", "--timeout", "soon"]).expect_code(2);
    let call = platform.nova(&["logs", "mysql"]).expect_code(2);
    assert!(
        call.stderr.contains("mysql") && call.stderr.contains("postgres"),
        "{}",
        call.stderr
    );
}

#[test]
fn where_nothing_was_deployed_every_command_says_so() {
    let platform = TestPlatform::described("");
    let call = platform.nova(&["status"]).expect_code(3);
    assert!(
        call.stdout.contains("nothing") && call.stdout.contains(platform.name()),
        "{}",
        call.stdout
    );
    let report = platform.nova(&["status", "-o", "json"]).expect_code(3).json();
    assert_eq!(
        (&report["schema"], &report["verdict"]),
        (&"nova.status/v1".into(), &"absent".into())
    );
    platform.nova(&["verify"]).expect_code(3);
    platform.nova(&["diff"]).expect_code(3);
    platform.nova(&["cleanup", "--data", "--yes"]).expect_code(0);
    let call = platform.nova(&["secrets", "show", "redis"]).expect_code(1);
    assert!(call.stderr.contains("deploy"), "{}", call.stderr);
    assert!(!platform.state().exists());
}

#[test]
fn a_taken_port_is_named_with_its_owner() {
    let platform = TestPlatform::new();
    let taken = TcpListener::bind((platform.node(2), 2379)).unwrap();
    let call = platform.nova(&["deploy", "--yes"]).expect_code(1);
    let owner = std::process::id().to_string();
    assert!(
        call.stderr.contains(&format!("{}:2379", platform.node(2))),
        "{}",
        call.stderr
    );
    assert!(call.stderr.contains(&owner), "{}", call.stderr);
    drop(taken);
}

#[test]
fn a_state_directory_of_another_version_is_left_alone() {
    let platform = TestPlatform::described("");
    std::fs::create_dir_all(platform.state()).unwrap();
    let file = platform.state().join("platform.json");
    std::fs::write(&file, r#"{"format": 999, "uid": 0, "platform": "x"}"#).unwrap();
    if let Some(user) = nix::unistd::User::from_name("nova")
        .unwrap()
        .filter(|_| nix::unistd::geteuid().is_root())
    {
        nix::unistd::chown(&platform.state(), Some(user.uid), Some(user.gid)).unwrap();
    }
    let call = platform.nova(&["deploy", "--yes"]).expect_code(1);
    assert!(call.stderr.contains("999"), "{}", call.stderr);
    assert_eq!(
        std::fs::read_dir(platform.state()).unwrap().count(),
        1,
        "nothing may be added"
    );
    std::fs::remove_dir_all(platform.state()).unwrap();
}

#[test]
fn a_secrets_file_that_others_can_read_is_refused() {
    let platform = TestPlatform::described("");
    std::fs::create_dir_all(platform.state()).unwrap();
    let file = platform.state().join("secrets.json");
    std::fs::write(&file, "{}").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let call = platform.nova(&["secrets", "show", "redis"]).expect_code(1);
    assert!(call.stderr.contains("secrets.json"), "{}", call.stderr);
    std::fs::remove_dir_all(platform.state()).unwrap();
}

#[test]
fn weakened_settings_are_allowed_with_the_failure_that_they_invite() {
    let platform = TestPlatform::described("[postgres]\nsynchronous_mode = \"off\"\n");
    let call = platform.nova(&["status"]).expect_code(3);
    assert!(
        call.stderr.contains("warning") && call.stderr.contains("lose"),
        "{}",
        call.stderr
    );
}

#[test]
fn the_schemas_are_the_ones_in_the_repository() {
    let platform = TestPlatform::described("");
    for (of, kept) in [
        (&[][..], include_str!("../../../../nova.schema.json")),
        (
            &["--of", "status"],
            include_str!("../../../../docs/schemas/status.schema.json"),
        ),
        (
            &["--of", "drill"],
            include_str!("../../../../docs/schemas/drill.schema.json"),
        ),
    ] {
        let printed = platform.nova(&[&["schema"], of].concat()).expect_code(0).json();
        let kept: serde_json::Value = serde_json::from_str(kept).unwrap();
        assert_eq!(printed, kept, "./nova schema {} prints another one", of.join(" "));
    }
}
