//! etcd's members are changed under a platform that serves: one cluster and one leader of PostgreSQL at every moment.

use std::collections::BTreeSet;
use std::time::Duration;

use nova_member::HostPort;
use nova_member::etcd_api::At;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection, Executor};

use crate::support::{TestPlatform, member, members};

const FEW: &str = "[postgres]\nmembers = 3\n[redis]\nmembers = 1\nsentinels = 1\nquorum = 1\nmin_replicas_to_write = 0\n\
                   [kafka]\nmembers = 1\nreplication_factor = 1\nmin_insync_replicas = 1\n";

fn clusters(platform: &TestPlatform, members: u16) -> BTreeSet<(u64, usize)> {
    (1..=members)
        .map(|member| {
            let at = HostPort::new(platform.node(member), 2379);
            let cluster = At(&at).cluster().unwrap();
            (
                cluster.id,
                cluster.members.iter().filter(|member| !member.is_learner).count(),
            )
        })
        .collect()
}

fn leaders(platform: &TestPlatform) -> usize {
    let status = platform.status();
    let leads =
        |(component, member): &(String, serde_json::Value)| component == "postgres" && member["role"] == "leader";
    members(&status).iter().filter(|found| leads(found)).count()
}

fn rows(platform: &TestPlatform, statement: &'static str) -> Vec<i64> {
    let options = PgConnectOptions::new()
        .host(platform.gateway())
        .port(15432)
        .username("postgres")
        .password(&platform.secret("postgres-superuser"))
        .database("postgres");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut connection = PgConnection::connect_with(&options).await.unwrap();
        connection.execute(statement).await.unwrap();
        sqlx::query_scalar("select id from kept order by id")
            .fetch_all(&mut connection)
            .await
            .unwrap()
    })
}

#[test]
fn etcd_grows_shrinks_and_mends_itself_as_one_cluster() {
    let platform = TestPlatform::new();
    platform.describe(FEW);
    platform.describe("[etcd]\nmembers = 1\n");
    platform.nova(&["deploy", "--yes"]).expect_code(0);
    assert_eq!(
        rows(&platform, "create table kept (id bigint); insert into kept values (1)"),
        [1]
    );
    let before = clusters(&platform, 1);

    platform.replace("[etcd]\nmembers = 1\n", "[etcd]\nmembers = 3\n");
    platform.nova(&["deploy", "--yes"]).expect_code(0);
    let id = before.first().unwrap().0;
    assert_eq!(clusters(&platform, 3), BTreeSet::from([(id, 3)]));
    assert_eq!(leaders(&platform), 1);
    assert_eq!(rows(&platform, "insert into kept values (2)"), [1, 2]);
    let again = platform.nova(&["deploy", "--yes", "-o", "json"]).expect_code(0).json();
    assert_eq!(again["result"], "unchanged", "{again:#}");

    // A directory is lost, and the member with it.
    let lost = platform.state().join("members/etcd-2/data/member");
    std::fs::remove_dir_all(lost).unwrap();
    let pid = member(&platform.status(), "etcd-2")["pid"].as_u64().unwrap();
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap()),
        nix::sys::signal::Signal::SIGKILL,
    )
    .unwrap();
    platform.wait_for("healed", Duration::from_secs(120), |status| {
        status["verdict"] == "healthy" && member(status, "etcd-2")["pid"].as_u64() != Some(pid)
    });
    platform.nova(&["member", "replace", "etcd-3"]).expect_code(0);
    assert_eq!(clusters(&platform, 3), BTreeSet::from([(id, 3)]));
    platform.nova(&["member", "replace", "redis-1"]).expect_code(1);
    platform.nova(&["member", "replace", "nobody"]).expect_code(2);
    platform.nova(&["member", "recover", "etcd"]).expect_code(1);

    platform.replace("[etcd]\nmembers = 3\n", "[etcd]\nmembers = 1\n");
    platform.nova(&["deploy", "--yes"]).expect_code(0);
    assert_eq!(clusters(&platform, 1), BTreeSet::from([(id, 1)]));
    assert_eq!(leaders(&platform), 1);
    assert_eq!(rows(&platform, "insert into kept values (3)"), [1, 2, 3]);
}
