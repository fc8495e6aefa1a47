//! PostgreSQL's checks on a single server: write and read, and what is told when there is no standby or no leader.

use std::time::Duration;

use nova_platform::checks::{CheckResult, Checks, Depth};
use nova_platform::components::ComponentId;

use crate::support::postgres::Postgres;
use crate::support::{no_endpoints, patroni, spec};

const LIMIT: Duration = Duration::from_secs(10);

fn named<'a>(results: &'a [CheckResult], name: &str) -> &'a CheckResult {
    results
        .iter()
        .find(|result| result.name == name)
        .unwrap_or_else(|| panic!("no {name} in {results:?}"))
}

#[tokio::test]
async fn a_write_makes_its_table_and_a_missing_standby_is_told() {
    let server = Postgres::start().await;
    let endpoints = patroni::endpoints(&server.address, no_endpoints()).await;
    let checks = Checks::new(&spec(), &endpoints, &server.secrets).unwrap();
    for _ in 0..2 {
        let results = checks.component(&ComponentId::Postgres, Depth::Status, LIMIT).await;
        assert_eq!(named(&results, "write-read").error, None);
        let error = named(&results, "synchronous-standby").error.clone().unwrap();
        assert!(
            error.contains("has 0 synchronous standbys of 1: no standby is connected"),
            "{error}"
        );
        assert!(
            results.iter().all(|result| result.name != "isolation"),
            "status leaves the matrix out"
        );
    }
}

#[tokio::test]
async fn a_commit_that_waits_for_a_standby_is_told_and_its_backend_ended() {
    let server = Postgres::start_with(&["synchronous_standby_names=ANY 1 (nobody)"]).await;
    let endpoints = patroni::endpoints(&server.address, no_endpoints()).await;
    let checks = Checks::new(&spec(), &endpoints, &server.secrets).unwrap();
    let results = checks
        .component(&ComponentId::Postgres, Depth::Status, Duration::from_secs(2))
        .await;
    let error = named(&results, "write-read").error.clone().unwrap();
    assert!(
        error.contains("its commit waits for a synchronous standby (SyncRep)"),
        "{error}"
    );
    let mut superuser = server.superuser("postgres").await.unwrap();
    let stuck: i64 = sqlx::query_scalar("select count(*) from pg_stat_activity where wait_event = 'SyncRep'")
        .fetch_one(&mut superuser)
        .await
        .unwrap();
    assert_eq!(
        stuck, 0,
        "a check that fails again and again must not use up the connections"
    );
}

#[tokio::test]
async fn without_patroni_every_check_says_so() {
    let mut endpoints = no_endpoints();
    let [postgres, patroni] = [crate::support::nowhere(), crate::support::nowhere()];
    let server = nova_platform::endpoints::StoreEndpoint::postgres("postgres-1", postgres, patroni);
    endpoints.stores.push(server);
    let checks = Checks::new(&spec(), &endpoints, &crate::support::secrets()).unwrap();
    let results = checks.component(&ComponentId::Postgres, Depth::Full, LIMIT).await;
    for name in ["write-read", "synchronous-standby", "isolation"] {
        let error = named(&results, name).error.clone().unwrap();
        assert!(
            error.starts_with("no leader: no Patroni answers: Patroni of postgres-1: GET http://127.0.0.1:"),
            "{error}"
        );
        assert!(error.contains("Connection refused"), "{error}");
    }
    assert!(!named(&results, "replica-read postgres-1").ok);
    assert_eq!(checks.roles(&ComponentId::Postgres, LIMIT).await[0].role, None);
}
