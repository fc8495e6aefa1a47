//! The isolation matrix on a provisioned server: it passes, and each way out that somebody opens is named.

use std::time::Duration;

use nova_platform::checks::{CheckResult, Checks, Depth};
use nova_platform::components::ComponentId;
use nova_platform::provision::provision_server;

use crate::support::postgres::Postgres;
use crate::support::{no_endpoints, patroni, spec};

const LIMIT: Duration = Duration::from_secs(20);

struct Platform {
    server: Postgres,
    checks: Checks,
}

impl Platform {
    async fn start() -> Self {
        let server = Postgres::start().await;
        provision_server(&spec(), &server.address, &server.secrets, LIMIT)
            .await
            .unwrap();
        for (schema, secret) in [
            ("auth", "postgres-auth-service-owner"),
            ("users", "postgres-user-service-owner"),
        ] {
            let mut owner = server
                .login(&format!("{schema}_owner"), secret, "nova_core")
                .await
                .unwrap();
            sqlx::raw_sql("create table thing (id bigserial primary key, secret text)")
                .execute(&mut owner)
                .await
                .unwrap();
        }
        let endpoints = patroni::endpoints(&server.address, no_endpoints()).await;
        let checks = Checks::new(&spec(), &endpoints, &server.secrets).unwrap();
        Self { server, checks }
    }

    async fn isolation(&self) -> CheckResult {
        let results = self.checks.component(&ComponentId::Postgres, Depth::Full, LIMIT).await;
        results.into_iter().find(|result| result.name == "isolation").unwrap()
    }
}

#[tokio::test]
async fn a_provisioned_server_keeps_services_apart() {
    let platform = Platform::start().await;
    let result = platform.isolation().await;
    assert_eq!(result.error, None);
    assert!(result.ok);
    // What was tried left nothing.
    let mut owner = platform.server.superuser("nova_core").await.unwrap();
    let probes: i64 = sqlx::query_scalar("select count(*) from pg_class where relname like 'nova_isolation%'")
        .fetch_one(&mut owner)
        .await
        .unwrap();
    assert_eq!(probes, 0);
}

#[tokio::test]
async fn every_way_out_is_named_with_role_and_object() {
    let platform = Platform::start().await;
    let cases = [
        (
            "nova_core",
            "grant usage on schema users to auth_app; grant select on users.thing to auth_app",
            "revoke usage on schema users from auth_app; revoke select on users.thing from auth_app",
            [
                "role auth_app read users.thing",
                "role auth_app has select on users.thing of database nova_core",
            ],
        ),
        (
            "nova_core",
            "grant select (secret) on users.thing to auth_app",
            "revoke select (secret) on users.thing from auth_app",
            ["role auth_app has select on users.thing of database nova_core", ""],
        ),
        (
            "postgres",
            "grant connect on database nova_messaging to users_app",
            "revoke connect on database nova_messaging from users_app",
            [
                "role users_app connected to database nova_messaging",
                "role users_app has connect on database nova_messaging",
            ],
        ),
        (
            "postgres",
            "grant users_owner to auth_app",
            "revoke users_owner from auth_app",
            [
                "role auth_app is a member of role users_owner",
                "role auth_app created a table in schema users",
            ],
        ),
        (
            "postgres",
            "alter role users_owner createrole",
            "alter role users_owner nocreaterole",
            ["role users_owner has attribute createrole", ""],
        ),
        (
            "nova_core",
            "grant create on schema auth to auth_app",
            "revoke create on schema auth from auth_app",
            [
                "role auth_app created a table in schema auth",
                "role auth_app has create on schema auth of database nova_core",
            ],
        ),
        (
            "postgres",
            "grant temporary on database nova_core to public",
            "revoke temporary on database nova_core from public",
            [
                "PUBLIC has temporary on database nova_core",
                "role auth_owner created a temporary table in database nova_core",
            ],
        ),
        (
            "nova_core",
            "grant usage on sequence users.thing_id_seq to auth_owner",
            "revoke usage on sequence users.thing_id_seq from auth_owner",
            [
                "role auth_owner has usage on sequence users.thing_id_seq of database nova_core",
                "",
            ],
        ),
    ];
    for (database, open, close, expected) in cases {
        platform.server.execute(database, open).await;
        let result = platform.isolation().await;
        let error = result.error.unwrap_or_default();
        assert!(!result.ok, "{open} went unnoticed");
        for part in expected {
            assert!(error.contains(part), "after {open:?}, {part:?} is missing in: {error}");
        }
        platform.server.execute(database, close).await;
    }
    assert_eq!(platform.isolation().await.error, None);
}

#[tokio::test]
async fn refusals_prove_nothing_when_a_role_cannot_even_come_home() {
    let platform = Platform::start().await;
    platform
        .server
        .execute("postgres", "alter role auth_app password 'another'")
        .await;
    let error = platform.isolation().await.error.unwrap();
    assert!(
        error.contains("role auth_app cannot log in to its own database nova_core"),
        "{error}"
    );
}

#[tokio::test]
async fn before_provisioning_the_missing_roles_are_named() {
    let server = Postgres::start().await;
    let endpoints = patroni::endpoints(&server.address, no_endpoints()).await;
    let checks = Checks::new(&spec(), &endpoints, &server.secrets).unwrap();
    let results = checks.component(&ComponentId::Postgres, Depth::Full, LIMIT).await;
    let error = results
        .iter()
        .find(|result| result.name == "isolation")
        .unwrap()
        .error
        .clone()
        .unwrap();
    assert!(
        error.contains("is not provisioned yet: there is no role auth_owner"),
        "{error}"
    );
}
