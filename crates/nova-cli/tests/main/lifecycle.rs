//! From nothing to a healthy platform and back to nothing, as the README tells it.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::readme;
use crate::scenarios::Scenarios;
use crate::schema::is_as_its_schema_says;
use crate::support::{TestPlatform, member, members};

const STATUS_SCHEMA: &str = include_str!("../../../../docs/schemas/status.schema.json");

fn pids(status: &Value) -> BTreeMap<String, u64> {
    let pid = |member: &Value| {
        (
            member["name"].as_str().unwrap().to_owned(),
            member["pid"].as_u64().unwrap(),
        )
    };
    members(status).iter().map(|(_, member)| pid(member)).collect()
}

#[test]
fn a_platform_comes_up_stays_as_it_is_changes_and_goes() {
    // What the README prints is typed once, and `status` looks for less than a second.
    let platform = TestPlatform::alone();
    let deployed = platform.nova(&["deploy", "--yes", "-o", "json"]).expect_code(0).json();
    assert_eq!(
        (&deployed["schema"], &deployed["result"]),
        (&"nova.deploy/v1".into(), &"deployed".into())
    );
    assert!(!deployed["slowest_chain"].as_array().unwrap().is_empty());

    let mut scenarios = Scenarios::default();
    scenarios.run("status", || status_shows_everything(&platform));
    scenarios.run("verify", || drop(platform.nova(&["verify"]).expect_code(0)));
    scenarios.run("the README's session", || {
        readme::the_session_works_as_printed(&platform);
    });
    scenarios.run("the README's kill", || readme::it_can_be_broken_as_printed(&platform));
    scenarios.run("secrets", || secrets_stay_secret(&platform));
    scenarios.run("logs", || logs_are_shown(&platform));
    scenarios.judge();

    // A second deploy changes nothing, a changed setting only what it concerns.
    let before = platform.status();
    let again = platform.nova(&["deploy", "--yes", "-o", "json"]).expect_code(0).json();
    assert_eq!(again["result"], "unchanged", "{again:#}");
    assert_eq!(pids(&before), pids(&platform.status()));
    platform.nova(&["diff"]).expect_code(0);

    platform.describe("[services.user-service]\nmembers = 2\ndatabase_pool = 9\n");
    platform.nova(&["diff"]).expect_code(3);
    platform.nova(&["deploy", "--yes"]).expect_code(0);
    let changed = pids(&platform.status());
    let kept = |name: &str| !name.starts_with("user-service") && !name.starts_with("gateway");
    for (name, pid) in pids(&before).iter().filter(|(name, _)| kept(name)) {
        assert_eq!(changed[name], *pid, "{name} has nothing to do with the change");
    }
    assert!(!changed.contains_key("user-service-3"));

    // Data outlives a cleanup that does not name it.
    let cleaned = platform.nova(&["cleanup"]).expect_code(0);
    assert!(cleaned.stdout.contains("data and secrets stay"), "{}", cleaned.stdout);
    no_process_is_left(&platform);
    platform.nova(&["status"]).expect_code(3);
    data_without_its_passwords_is_left_alone(&platform);
    platform.nova(&["deploy", "--yes"]).expect_code(0);
    the_post_is_there(&platform);
    platform.nova(&["cleanup", "--data", "--yes"]).expect_code(0);
    no_process_is_left(&platform);
    assert!(!platform.state().exists());
}

/// New passwords would open none of the stores: the deploy says what is missing instead of making them.
fn data_without_its_passwords_is_left_alone(platform: &TestPlatform) {
    let (file, away) = (
        platform.state().join("secrets.json"),
        platform.directory().join("away.json"),
    );
    std::fs::copy(&file, &away).unwrap();
    std::fs::remove_file(&file).unwrap();
    let call = platform.nova(&["deploy", "--yes"]).expect_code(1);
    assert!(
        call.stderr.contains("secrets.json is missing") && call.stderr.contains("nova cleanup --data"),
        "{}",
        call.stderr
    );
    assert!(!file.exists());
    std::fs::copy(&away, &file).unwrap();
}

fn status_shows_everything(platform: &TestPlatform) {
    // It waits for no check longer than half a second, which is too short while the machine still writes what was deployed.
    let wait = ["status", "--wait", "--timeout", "60s"];
    let status = platform.nova(&[&wait[..], &["-v", "-o", "json"]].concat());
    let status = status.expect_code(0).json();
    assert_eq!(
        (&status["schema"], &status["verdict"]),
        (&"nova.status/v1".into(), &"healthy".into())
    );
    is_as_its_schema_says(STATUS_SCHEMA, &status);
    for (_, member) in members(&status) {
        assert_eq!(member["state"], "running", "{member}");
        assert!(
            member["memory_bytes"].as_u64().is_some_and(|bytes| bytes > 0),
            "{member}"
        );
    }
    let leaders = members(&status)
        .iter()
        .filter(|(_, member)| member["role"] == "leader" && is_postgres(member))
        .count();
    assert_eq!(leaders, 1);
    let text = platform.nova(&wait).expect_code(0).stdout;
    assert!(
        text.starts_with("healthy") && text.contains("user-service-3") && !text.contains('\x1b'),
        "{text}"
    );
}

fn is_postgres(member: &Value) -> bool {
    member["name"].as_str().unwrap().starts_with("postgres-")
}

/// A generated secret appears in its 0600 files only: in no argument, no environment, no log.
fn secrets_stay_secret(platform: &TestPlatform) {
    let file = platform.state().join("secrets.json");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let names = platform.nova(&["secrets", "list"]).expect_code(0).stdout;
    let secrets: Vec<String> = names
        .lines()
        .map(|name| platform.secret(name))
        .filter(|text| !text.contains('\n'))
        .collect();
    assert!(secrets.len() >= 8, "{names}");
    let mut seen = Vec::new();
    for (_, member) in members(&platform.status()) {
        let pid = member["pid"].as_u64().unwrap();
        for what in ["cmdline", "environ"] {
            seen.push((
                format!("{what} of {}", member["name"]),
                std::fs::read(format!("/proc/{pid}/{what}")).unwrap_or_default(),
            ));
        }
    }
    for entry in std::fs::read_dir(platform.state().join("logs")).unwrap() {
        let path = entry.unwrap().path();
        seen.push((path.display().to_string(), std::fs::read(&path).unwrap()));
    }
    for (place, bytes) in seen {
        let text = String::from_utf8_lossy(&bytes);
        assert!(
            !secrets.iter().any(|secret| text.contains(secret.as_str())),
            "a secret stands in {place}"
        );
    }
}

/// Who followed before the cleanup logs in again, and finds the post.
fn the_post_is_there(platform: &TestPlatform) {
    let session = async {
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(10))
            .build()?;
        let body = json!({"email": "ada@example.org", "password": "correct horse battery"});
        let login = format!("http://{}:8084/api/v1/auth/login", platform.gateway());
        let tokens: Value = client.post(login).json(&body).send().await?.json().await?;
        let feed = client
            .get(format!("http://{}:8080/api/v1/feed", platform.gateway()))
            .bearer_auth(tokens["access_token"].as_str().unwrap_or_default());
        feed.send().await?.json::<Value>().await
    };
    let feed = tokio::runtime::Runtime::new().unwrap().block_on(session).unwrap();
    assert_eq!(feed["items"][0]["text"], "hello", "{feed}");
}

fn logs_are_shown(platform: &TestPlatform) {
    let all = platform.nova(&["logs", "postgres", "-n", "5"]).expect_code(0).stdout;
    assert!(all.lines().any(|line| line.starts_with("postgres-1")), "{all}");
    let grepped = platform
        .nova(&["logs", "--grep", "no such words anywhere"])
        .expect_code(0)
        .stdout;
    assert!(grepped.is_empty(), "{grepped}");
}

/// No process names this platform's state directory in its arguments, or works in it.
fn no_process_is_left(platform: &TestPlatform) {
    let state = platform.state().display().to_string();
    let left: Vec<_> = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let arguments = String::from_utf8_lossy(&std::fs::read(path.join("cmdline")).ok()?).replace('\0', " ");
            let cwd = std::fs::read_link(path.join("cwd"))
                .map(|cwd| cwd.display().to_string())
                .unwrap_or_default();
            (arguments.contains(&state) || cwd.starts_with(&state)).then_some(arguments)
        })
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn an_interrupted_deploy_says_how_to_resume_and_resumes() {
    let platform = TestPlatform::new();
    let mut deploy = platform
        .command(&["deploy", "--yes"])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    platform.wait_for("etcd started", Duration::from_secs(60), |status| {
        member(status, "etcd-1")["pid"].is_u64()
    });
    kill(Pid::from_raw(i32::try_from(deploy.id()).unwrap()), Signal::SIGINT).unwrap();
    let code = deploy.wait().unwrap().code();
    let mut stderr = String::new();
    deploy.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(code, Some(130), "{stderr}");
    assert!(stderr.contains("./nova deploy resumes"), "{stderr}");
    platform.nova(&["deploy", "--yes"]).expect_code(0);
}
