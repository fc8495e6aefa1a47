//! Calls between the real services while the one that is called fails in every way there is: whoever calls it answers, its other
//! routes too, the failing one is not flooded, and all is well again by itself. How long answers took is printed (`--nocapture`)
//! and judged where benchmarks are; one that never comes fails here.

mod load;

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use nova_testkit::{Fault, FaultProxy};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::long::Long;
use crate::scenarios::Scenarios;
use crate::support::{TestPlatform, member, pid};
use load::{Load, Measured};

/// After a fault everything is normal within this.
const NORMAL_AGAIN: Duration = Duration::from_secs(30);
/// What one service must tell the other is told within this, once it can be.
const TOLD: Duration = Duration::from_secs(60);
/// How long things are watched before and after each fault, for comparison.
const USUAL: Duration = Duration::from_secs(4);
/// A platform that was deployed comes to rest within this.
const AT_REST: Duration = Duration::from_secs(60);
/// How long each fault lasts: as long as the window over which a retry budget compares.
const PHASE: Duration = Duration::from_secs(10);
/// Retries that a member may make in a second whatever its budget says: `calls.retry_floor`.
const RETRY_FLOOR: u64 = 1;
const MEMBERS: u64 = 3;

#[test]
fn a_failing_service_is_survived_by_the_one_that_calls_it() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let platform = TestPlatform::alone();
    let upstream = |platform: &TestPlatform, port: u16| format!("{}:{port}", platform.gateway());
    let (auth, users) = runtime.block_on(async {
        (
            FaultProxy::start(upstream(&platform, 8084)).await,
            FaultProxy::start(upstream(&platform, 8080)).await,
        )
    });
    // What the services say to each other goes through the proxies; users go through the gateway as always.
    platform.describe(&format!(
        "[services.user-service.env]\n\
         NOVA_AUTH_SERVICE_URL = \"{auth}\"\n\
         NOVA_IDENTITY_JWKS_URL = \"{auth}/.well-known/jwks.json\"\n\
         [services.auth-service.env]\n\
         NOVA_USER_SERVICE_URL = \"{users}\"\n",
        auth = auth.url(),
        users = users.url(),
    ));
    platform.nova(&["deploy", "--yes"]).expect_code(0);
    let load = runtime.block_on(async {
        let load = Load::new(&platform).await;
        at_rest(&load).await;
        load
    });
    let faults = vec![
        Fault::Hang,
        Fault::Errors { ratio_percent: 50 },
        Fault::Reset,
        Fault::Slow(Duration::from_secs(5)),
        Fault::Flap(Duration::from_secs(2)),
        Fault::BlackHole,
        Fault::HeadersOnly,
    ];
    let mut scenarios = Scenarios::default();
    for fault in Long::EveryFaultOfAService.of(faults, 3) {
        scenarios.run(&format!("{fault:?}"), || runtime.block_on(survive(&load, &auth, fault)));
    }
    scenarios.run("a deleted account", || {
        runtime.block_on(a_deleted_account_waits_for_the_other_service(&platform, &users));
    });
    scenarios.run("no Kafka", || without_kafka_everything_is_served(&platform, &runtime));
    scenarios.judge();
}

async fn survive(load: &Load, auth: &FaultProxy, fault: Fault) {
    // The one before may have failed in the middle of its fault.
    auth.set(Fault::None).await;
    load.until_complete(Instant::now() + NORMAL_AGAIN).await;
    let before = load.run(USUAL).await;
    before.assert_answered(&format!("before {fault:?}"));
    assert_eq!(before.partial, 0, "before {fault:?} some profiles lack their account");

    auth.set(fault).await;
    auth.reset_counts();
    let during = load.run(PHASE).await;
    let (arrived, ended) = (auth.requests(), Instant::now());
    auth.set(Fault::None).await;

    during.assert_answered(&format!("under {fault:?}"));
    let calls = during.calls();
    let bound = calls * 12 / 10 + MEMBERS * RETRY_FLOOR * PHASE.as_secs();
    assert!(
        arrived <= bound,
        "under {fault:?} {calls} calls became {arrived} requests"
    );

    let normal = load.until_complete(ended + NORMAL_AGAIN).await;
    let after = load.run(USUAL).await;
    after.assert_answered(&format!("after {fault:?}"));
    assert_eq!(
        after.partial, 0,
        "after {fault:?} some profiles still lack their account"
    );
    let (usual, now) = (before.others_p99().max(after.others_p99()), during.others_p99());
    eprintln!(
        "{fault:?}: longest answer {:?}, other routes' p99 {usual:?} -> {now:?}, {calls} calls -> {arrived} requests, \
         {} of {} profiles partial, normal after {:?}",
        during.longest(),
        during.partial,
        during.calls(),
        normal.duration_since(ended),
    );
}

/// What was deployed a moment ago is not at rest: the machine still writes, and answers take up to five times as long in the first
/// seconds as in the next ones. An account that is late for that is not what is looked at here, so looking begins when none is.
async fn at_rest(load: &Load) {
    let deadline = Instant::now() + AT_REST;
    loop {
        let run = load.run(USUAL).await;
        run.assert_answered("after the deploy");
        if run.partial == 0 {
            return;
        }
        let told = format!(
            "after the deploy {} of {} profiles lack their account, the longest answer took {:?}",
            run.partial,
            run.calls(),
            run.longest()
        );
        assert!(Instant::now() < deadline, "{told}");
        eprintln!("{told}");
    }
}

/// auth-service's deletion is done at once; user-service hears of it when it can be reached again.
async fn a_deleted_account_waits_for_the_other_service(platform: &TestPlatform, users: &FaultProxy) {
    let account = load::Account::register(platform, "leaving@example.org").await;
    let watcher = load::Account::register(platform, "watching@example.org").await;
    let client = reqwest::Client::new();
    let me = client
        .get(format!("http://{}:8080/api/v1/users/me", platform.gateway()))
        .bearer_auth(&account.token);
    let me: Value = me.send().await.unwrap().json().await.unwrap();
    let profile = client
        .get(format!(
            "http://{}:8080/api/v1/users/{}",
            platform.gateway(),
            me["id"].as_str().unwrap()
        ))
        .bearer_auth(&watcher.token);
    let status = || async { profile.try_clone().unwrap().send().await.unwrap().status() };
    assert_eq!(status().await, 200);

    users.set(Fault::Reset).await;
    let deleted = client
        .delete(format!("http://{}:8084/api/v1/auth/account", platform.gateway()))
        .bearer_auth(&account.token)
        .json(&json!({ "password": load::PASSWORD }));
    assert_eq!(deleted.send().await.unwrap().status(), 204);
    let deadline = Instant::now() + TOLD;
    while users.requests() == 0 {
        assert!(
            Instant::now() < deadline,
            "auth-service never tried to tell of the deleted account"
        );
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(status().await, 200, "user-service cannot know of the deletion yet");
    users.set(Fault::None).await;
    let deadline = Instant::now() + TOLD;
    while status().await != 404 {
        assert!(
            Instant::now() < deadline,
            "user-service was never told of the deleted account"
        );
        sleep(Duration::from_millis(100)).await;
    }
}

/// No request waits for Kafka: with every broker frozen both services answer as ever.
fn without_kafka_everything_is_served(platform: &TestPlatform, runtime: &tokio::runtime::Runtime) {
    let status = platform.status();
    let brokers: Vec<_> = (1..=3)
        .map(|number| pid(&member(&status, &format!("kafka-{number}"))))
        .collect();
    for broker in &brokers {
        kill(Pid::from_raw(*broker), Signal::SIGSTOP).unwrap();
    }
    let measured: Measured = runtime.block_on(async { Load::new(platform).await.run(Duration::from_secs(2)).await });
    for broker in &brokers {
        kill(Pid::from_raw(*broker), Signal::SIGCONT).unwrap();
    }
    measured.assert_answered("without kafka");
    assert_eq!(measured.partial, 0);
}
