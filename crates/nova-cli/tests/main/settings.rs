//! Changes of the description on a platform that runs: nothing is lost, nothing is left half done, and what cannot be done is said
//! before anything is touched. One platform for all of them, since each deploy takes its time.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{TestPlatform, member, members};

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_platform_follows_its_description() {
    let platform = TestPlatform::new();
    platform.describe("[redis]\nappendonly = false\n");
    platform.nova(&["deploy", "--yes"]).expect_code(0);

    redis_begins_an_append_only_file_with_all_its_keys(&platform);
    connections_are_the_same_everywhere(&platform);
    what_cannot_be_done_is_refused_at_its_line(&platform);
    redis_ends_its_append_only_file_with_all_its_keys(&platform);
    a_broken_replica_does_not_hold_up_the_others(&platform);
}

fn redis_begins_an_append_only_file_with_all_its_keys(platform: &TestPlatform) {
    let master = master(platform);
    for key in 0..12 {
        let said = redis(platform, &master, &format!("SET key-{key} value-{key}"));
        assert!(said.starts_with("+OK"), "{said}");
    }
    replace(platform, "appendonly = false", "appendonly = true");
    let diff = platform.nova(&["diff", "-o", "json"]).expect_code(3).json();
    assert_eq!(diff["settings"][0]["setting"], "redis.appendonly", "{diff:#}");
    assert_eq!(diff["settings"][0]["class"], "staged", "{diff:#}");
    platform.nova(&["deploy", "--yes"]).expect_code(0);
    all_keys_are_everywhere(platform);
    for server in servers(platform) {
        let said = redis(platform, &server, "CONFIG GET appendonly");
        assert!(said.contains("yes"), "{server}: {said}");
    }
}

fn redis_ends_its_append_only_file_with_all_its_keys(platform: &TestPlatform) {
    replace(platform, "appendonly = true", "appendonly = false");
    platform.nova(&["deploy", "--yes"]).expect_code(0);
    all_keys_are_everywhere(platform);
    for server in servers(platform) {
        let said = redis(platform, &server, "CONFIG GET appendonly");
        assert!(said.contains("no\r"), "{server}: {said}");
    }
    let again = platform.nova(&["deploy", "--yes", "-o", "json"]).expect_code(0).json();
    assert_eq!(again["result"], "unchanged", "{again:#}");
}

#[track_caller]
fn all_keys_are_everywhere(platform: &TestPlatform) {
    for server in servers(platform) {
        for key in 0..12 {
            let said = redis(platform, &server, &format!("GET key-{key}"));
            assert!(
                said.contains(&format!("value-{key}")),
                "{server} lost key {key}: {said}"
            );
        }
    }
}

fn connections_are_the_same_everywhere(platform: &TestPlatform) {
    for (wanted, before) in [(150, None), (180, Some(150))] {
        match before {
            None => platform.describe(&format!("[postgres]\nmax_connections = {wanted}\n")),
            Some(before) => replace(
                platform,
                &format!("max_connections = {before}"),
                &format!("max_connections = {wanted}"),
            ),
        }
        platform.nova(&["diff"]).expect_code(3);
        platform.nova(&["deploy", "--yes"]).expect_code(0);
        for node in 1..=3 {
            assert_eq!(max_connections(platform, node), wanted.to_string(), "postgres-{node}");
            let state = patroni(platform, node);
            assert!(state.get("pending_restart").is_none(), "postgres-{node}: {state:#}");
        }
        let again = platform.nova(&["deploy", "--yes", "-o", "json"]).expect_code(0).json();
        assert_eq!(again["result"], "unchanged", "{again:#}");
    }
}

fn what_cannot_be_done_is_refused_at_its_line(platform: &TestPlatform) {
    let before = std::fs::read_to_string(platform.directory().join("nova.toml")).unwrap();
    let running = platform.status();
    platform.describe("[kafka]\nmin_insync_replicas = 1\ncontroller_port = 9095\n");
    for command in [&["diff"][..], &["deploy", "--yes"]] {
        let call = platform.nova(command).expect_code(2);
        for said in [
            "kafka.min_insync_replicas cannot change from 2 to 1",
            "kafka.controller_port",
            "nova.toml:",
        ] {
            assert!(call.stderr.contains(said), "{said}: {}", call.stderr);
        }
    }
    let pids = |status: &Value| {
        members(status)
            .iter()
            .map(|(_, m)| m["pid"].as_u64())
            .collect::<Vec<_>>()
    };
    assert_eq!(pids(&running), pids(&platform.status()), "something was touched");
    std::fs::write(platform.directory().join("nova.toml"), before).unwrap();
    platform.nova(&["diff"]).expect_code(0);
}

/// The report: a replica whose data are damaged, and then a fix of a service that must go out.
fn a_broken_replica_does_not_hold_up_the_others(platform: &TestPlatform) {
    let status = platform.status();
    let replica = members(&status)
        .into_iter()
        .map(|(_, member)| member)
        .find(|member| {
            let name = member["name"].as_str().unwrap();
            name.starts_with("postgres-") && member["role"] != "leader"
        })
        .unwrap();
    let name = replica["name"].as_str().unwrap().to_owned();
    let data = platform.state().join("members").join(&name).join("data/pg");
    // Patroni restarts a server that ends, and this one cannot start any more.
    std::fs::write(data.join("postgresql.base.conf"), "no_such_setting = 1\n").unwrap();
    let postmaster = std::fs::read_to_string(data.join("postmaster.pid")).unwrap();
    let pid: i32 = postmaster.lines().next().unwrap().parse().unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
    platform.wait_for("a replica less", PATIENCE, |status| {
        member(status, &name)["role"].is_null()
    });

    platform.describe("[services.user-service]\ndatabase_pool = 9\n");
    let call = platform
        .nova(&["deploy", "--yes", "--timeout", "90s", "-o", "json"])
        .expect_code(3);
    let deployed = call.json();
    assert_eq!(deployed["result"], "degraded", "{deployed:#}");
    let degraded = &deployed["degraded"][0];
    assert_eq!(
        (&degraded["component"], &degraded["member"]),
        (&json!("postgres"), &json!(name))
    );
    assert!(!degraded["logs"].as_array().unwrap().is_empty(), "{degraded:#}");
    assert!(!call.stdout.contains("within 0 ms"), "{}", call.stdout);
    assert!(
        !call.stdout.contains("permission denied for"),
        "the platform's own probes: {}",
        call.stdout
    );
    let components = deployed["components"].as_array().unwrap();
    assert!(
        components.iter().any(|one| one["name"] == "user-service"),
        "{deployed:#}"
    );
}

/// Changes its nova.toml.
fn replace(platform: &TestPlatform, old: &str, new: &str) {
    let file = platform.directory().join("nova.toml");
    let described = std::fs::read_to_string(&file).unwrap();
    assert!(described.contains(old), "{described}");
    std::fs::write(&file, described.replace(old, new)).unwrap();
}

fn servers(platform: &TestPlatform) -> Vec<String> {
    (1..=3).map(|node| platform.node(node)).collect()
}

fn master(platform: &TestPlatform) -> String {
    let is_master = |server: &String| redis(platform, server, "ROLE").contains("master");
    servers(platform).into_iter().find(is_master).unwrap()
}

fn redis(platform: &TestPlatform, server: &str, command: &str) -> String {
    let password = platform.secret("redis");
    let mut stream = TcpStream::connect((server, 6379)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "AUTH {password}\r\n{command}\r\nQUIT\r\n").unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    said.strip_prefix("+OK\r\n").unwrap_or(&said).to_owned()
}

fn patroni(platform: &TestPlatform, node: u16) -> Value {
    let url = format!("http://{}:8008/patroni", platform.node(node));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async { reqwest::get(url).await.unwrap().json().await.unwrap() })
}

/// As the server itself says it.
fn max_connections(platform: &TestPlatform, node: u16) -> String {
    use sqlx::{ConnectOptions, Connection, Row};
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let password = platform.secret("postgres-superuser");
    runtime.block_on(async {
        let options = sqlx::postgres::PgConnectOptions::new_without_pgpass()
            .host(&platform.node(node))
            .port(5432)
            .username("postgres")
            .password(&password)
            .database("postgres")
            .ssl_mode(sqlx::postgres::PgSslMode::Disable);
        let mut session = options.connect().await.unwrap();
        let row = sqlx::query("show max_connections")
            .fetch_one(&mut session)
            .await
            .unwrap();
        session.close().await.unwrap();
        row.get(0)
    })
}
