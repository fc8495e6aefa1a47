//! Redis's checks with a real master, replica and Sentinel.

use std::time::Duration;

use nova_platform::checks::{CheckResult, Checks, Depth};
use nova_platform::components::ComponentId;
use tokio::time::{Instant, sleep};

use crate::support::redis::Redis;
use crate::support::spec;

const LIMIT: Duration = Duration::from_secs(5);

/// Checks until `enough` says so; the last results when a minute was not enough.
async fn until(checks: &Checks, enough: impl Fn(&[CheckResult]) -> bool) -> Vec<CheckResult> {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let results = checks.component(&ComponentId::Redis, Depth::Status, LIMIT).await;
        if enough(&results) || Instant::now() > end {
            return results;
        }
        sleep(Duration::from_millis(50)).await;
    }
}

fn error<'a>(results: &'a [CheckResult], name: &str) -> Option<&'a str> {
    results
        .iter()
        .find(|result| result.name == name)
        .unwrap_or_else(|| panic!("no {name} in {results:?}"))
        .error
        .as_deref()
}

#[tokio::test]
async fn writes_reach_the_replica_and_a_lost_replica_is_named() {
    let mut redis = Redis::start();
    let checks = Checks::new(&spec(), &redis.endpoints, &redis.secrets).unwrap();
    let results = until(&checks, |results| results.iter().all(|result| result.ok)).await;
    let names: Vec<_> = results.iter().map(|result| (result.name.as_str(), result.ok)).collect();
    assert_eq!(
        names,
        [
            ("write-read", true),
            ("replica-read redis-2", true),
            ("ckquorum sentinel-1", true)
        ],
        "{results:?}"
    );
    let roles: Vec<_> = checks
        .roles(&ComponentId::Redis, LIMIT)
        .await
        .into_iter()
        .map(|role| (role.member, role.role))
        .collect();
    let expected = [
        ("redis-1", "master"),
        ("redis-2", "replica"),
        ("sentinel-1", "sentinel"),
    ];
    assert_eq!(
        roles,
        expected.map(|(member, role)| (member.to_owned(), Some(role.to_owned())))
    );

    let [_, replica, _] = &mut redis.processes;
    replica.stop();
    let results = checks
        .component(&ComponentId::Redis, Depth::Status, Duration::from_secs(2))
        .await;
    let write = error(&results, "write-read").unwrap();
    assert!(
        write.starts_with("no replica acknowledged a write on redis-1 (127.0.0.1:"),
        "{write}"
    );
    let read = error(&results, "replica-read redis-2").unwrap();
    assert!(read.starts_with("redis-2 (127.0.0.1:"), "{read}");
    let roles = checks.roles(&ComponentId::Redis, LIMIT).await;
    assert_eq!(roles[1].role, None);
}

#[tokio::test]
async fn without_a_sentinel_nobody_knows_the_master() {
    let mut redis = Redis::start();
    let checks = Checks::new(&spec(), &redis.endpoints, &redis.secrets).unwrap();
    until(&checks, |results| results.iter().all(|result| result.ok)).await;
    let [_, _, sentinel] = &mut redis.processes;
    sentinel.stop();
    let results = checks.component(&ComponentId::Redis, Depth::Status, LIMIT).await;
    let write = error(&results, "write-read").unwrap();
    assert!(
        write.starts_with("no Sentinel names a master: sentinel-1 (127.0.0.1:"),
        "{write}"
    );
    assert!(error(&results, "ckquorum sentinel-1").is_some());
}
