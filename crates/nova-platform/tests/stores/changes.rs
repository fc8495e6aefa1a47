//! A service that reads the stream of all changes: its role may do that and look at the server's statistics, and nothing else.

use std::process::{Command, Output};
use std::time::Duration;

use nova_platform::checks::{Checks, Depth};
use nova_platform::components::ComponentId;
use nova_platform::load::parse;
use nova_platform::provision::provision_server;
use nova_platform::spec::Spec;

use crate::support::postgres::{Postgres, bin_directory};
use crate::support::{no_endpoints, patroni};

const LIMIT: Duration = Duration::from_secs(30);
const ROLE: &str = "cdc_service_app";

fn spec(replication: bool) -> Spec {
    let text = format!(
        "[services.cdc-service]\nmembers = 2\nport = 8087\npublic = false\nuses = [\"postgres\", \"kafka\"]\n\
         database = \"nova_core\"\nreplication = {replication}\n"
    );
    parse(&text, "nova.toml").unwrap().spec
}

/// A server that lets in whom Patroni's servers let in.
async fn server() -> Postgres {
    let mut server = Postgres::start_with(&["wal_level=logical"]).await;
    server.secrets.complete(&spec(true)).unwrap();
    let rules = "host replication nova_replication all scram-sha-256\nhost all all all scram-sha-256\n";
    std::fs::write(server.data().join("pg_hba.conf"), rules).unwrap();
    server.execute("postgres", "select pg_reload_conf()").await;
    server
}

async fn provision(server: &Postgres, spec: &Spec) -> Vec<String> {
    provision_server(spec, &server.address, &server.secrets, LIMIT)
        .await
        .unwrap()
}

/// A command of the replication protocol; `mode` is `database` for logical decoding, `true` for a copy of the whole server.
fn replication(server: &Postgres, mode: &str, command: &str) -> Output {
    let to = format!(
        "host={} port={} user={ROLE} dbname=nova_core replication={mode} sslmode=disable",
        server.address.host, server.address.port
    );
    Command::new(bin_directory().join("psql"))
        .args(["-X", "-At", "-d", &to, "-c", command])
        .env("PGPASSWORD", server.secrets.reveal("postgres-cdc-service").unwrap())
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

async fn isolation(server: &Postgres, spec: &Spec) -> Option<String> {
    let endpoints = patroni::endpoints(&server.address, no_endpoints()).await;
    let checks = Checks::new(spec, &endpoints, &server.secrets).unwrap();
    let results = checks.component(&ComponentId::Postgres, Depth::Full, LIMIT).await;
    let found = results.into_iter().find(|result| result.name == "isolation");
    found.unwrap().error
}

#[tokio::test]
async fn it_streams_and_owns_nothing_and_copies_no_server() {
    let server = server().await;
    let spec = spec(true);
    let made = provision(&server, &spec).await;
    for change in [
        "created role cdc_service_app",
        "let role cdc_service_app see the server's statistics",
        "let role cdc_service_app connect to database nova_core",
    ] {
        assert!(made.iter().any(|made| made == change), "{change} is not among {made:?}");
    }
    assert!(!made.iter().any(|made| made.contains("cdc_service_owner")), "{made:?}");
    assert_eq!(provision(&server, &spec).await, Vec::<String>::new());

    let slot = "CREATE_REPLICATION_SLOT changes LOGICAL pgoutput";
    let created = replication(&server, "database", slot);
    assert!(created.status.success(), "{}", said(&created));
    let copied = replication(&server, "true", "IDENTIFY_SYSTEM");
    assert!(
        !copied.status.success() && said(&copied).contains("pg_hba.conf"),
        "{}",
        said(&copied)
    );
    assert_eq!(isolation(&server, &spec).await, None);
}

#[tokio::test]
async fn what_it_may_is_given_and_taken_with_the_setting() {
    let server = server().await;
    provision(&server, &spec(false)).await;
    let refused = replication(&server, "database", "IDENTIFY_SYSTEM");
    assert!(!refused.status.success(), "{}", said(&refused));
    assert_eq!(isolation(&server, &spec(false)).await, None);
    assert_eq!(
        provision(&server, &spec(true)).await,
        [
            "let role cdc_service_app read the stream of changes",
            "let role cdc_service_app see the server's statistics",
            "created publication nova_events in database nova_core",
        ]
    );
    // Before it is taken away again, it is more than the role should have.
    let error = isolation(&server, &spec(false)).await.unwrap_or_default();
    for part in [
        "role cdc_service_app has attribute replication",
        "role cdc_service_app is a member of role pg_monitor",
    ] {
        assert!(error.contains(part), "{part:?} is missing in: {error}");
    }
    assert_eq!(
        provision(&server, &spec(false)).await,
        [
            "took attributes that it must not have from role cdc_service_app",
            "took the server's statistics from role cdc_service_app",
        ]
    );
}
