//! Provisioning a real server: complete, repeatable, and healing.

use std::time::Duration;

use nova_platform::provision::provision_server;

use crate::support::postgres::Postgres;
use crate::support::spec;

const LIMIT: Duration = Duration::from_secs(30);

async fn provision(server: &Postgres) -> Vec<String> {
    provision_server(&spec(), &server.address, &server.secrets, LIMIT)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_second_run_changes_nothing() {
    let server = Postgres::start().await;
    let first = provision(&server).await;
    for change in [
        "created database nova_search",
        "created role auth_app",
        "created schema users in database nova_core",
    ] {
        assert!(
            first.iter().any(|made| made == change),
            "{change} is not among {first:?}"
        );
    }
    assert_eq!(provision(&server).await, Vec::<String>::new());
}

#[tokio::test]
async fn owners_migrate_and_applications_read_and_write_rows_and_no_more() {
    let server = Postgres::start().await;
    provision(&server).await;
    let mut owner = server
        .login("auth_owner", "postgres-auth-service-owner", "nova_core")
        .await
        .unwrap();
    sqlx::raw_sql(
        "create table account (id bigserial primary key); create function one() returns int language sql return 1",
    )
    .execute(&mut owner)
    .await
    .unwrap();
    let mut app = server
        .login("auth_app", "postgres-auth-service", "nova_core")
        .await
        .unwrap();
    for allowed in [
        "insert into auth.account default values",
        "update account set id = 7",
        "select one() from account",
        "delete from account",
    ] {
        sqlx::query(allowed)
            .execute(&mut app)
            .await
            .unwrap_or_else(|error| panic!("{allowed}: {error}"));
    }
    for refused in [
        "truncate account",
        "drop table account",
        "create table mine ()",
        "create temporary table mine ()",
    ] {
        let error = sqlx::query(refused).execute(&mut app).await.unwrap_err();
        assert_eq!(
            error.as_database_error().unwrap().code().as_deref(),
            Some("42501"),
            "{refused}: {error}"
        );
    }
    let settings: (String, String) =
        sqlx::query_as("select current_setting('search_path'), current_setting('statement_timeout')")
            .fetch_one(&mut app)
            .await
            .unwrap();
    assert_eq!(settings, ("auth".to_owned(), "10s".to_owned()));
}

#[tokio::test]
async fn what_somebody_changed_is_put_right_and_told() {
    let server = Postgres::start().await;
    provision(&server).await;
    server
        .execute(
            "postgres",
            "alter role auth_app superuser password 'guessed'; alter role users_app set search_path = public; \
             grant connect on database nova_search to public",
        )
        .await;
    server
        .execute(
            "nova_core",
            "grant usage on schema public to public; revoke usage on schema auth from auth_app",
        )
        .await;
    let changes = provision(&server).await;
    for change in [
        "took attributes that it must not have from role auth_app",
        "set the password of role auth_app",
        "set search_path of role users_app",
        "closed database nova_search to PUBLIC",
        "closed schema public of database nova_core to PUBLIC",
        "let role auth_app use schema auth",
    ] {
        assert!(
            changes.iter().any(|made| made == change),
            "{change} is not among {changes:?}"
        );
    }
    assert_eq!(changes.len(), 6, "{changes:?}");
    assert_eq!(provision(&server).await, Vec::<String>::new());
}

#[tokio::test]
async fn no_password_reaches_the_server_in_a_statement() {
    let server = Postgres::start_with(&["log_statement=all"]).await;
    provision(&server).await;
    let log = server.log();
    assert!(log.contains("create role"), "the statements are logged");
    for name in server.secrets.names().filter(|name| name.starts_with("postgres-")) {
        assert!(
            !log.contains(server.secrets.reveal(name).unwrap()),
            "{name} is in the log"
        );
    }
}

#[tokio::test]
async fn the_role_that_rewinds_may_still_connect() {
    let server = Postgres::start().await;
    server
        .execute(
            "postgres",
            "create role rewinder login password 'x'; \
             grant execute on function pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean) to rewinder",
        )
        .await;
    let changes = provision(&server).await;
    assert!(
        changes
            .iter()
            .any(|made| made == "let role rewinder connect to database postgres"),
        "{changes:?}"
    );
}

#[tokio::test]
async fn two_at_once_do_not_trip_over_each_other() {
    let server = Postgres::start().await;
    let (spec, run) = (spec(), async |spec: &_| {
        provision_server(spec, &server.address, &server.secrets, LIMIT).await
    });
    let (one, two) = tokio::join!(run(&spec), run(&spec));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert!(one.is_empty() != two.is_empty(), "one does all of it: {one:?} {two:?}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let (spec, secrets) = (spec(), crate::support::secrets());
    let address = crate::support::nowhere();
    let error = provision_server(&spec, &address, &secrets, LIMIT)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with(&format!("could not connect to database postgres on {address}: ")),
        "{error}"
    );
}
