//! A write that is repeated with its key happens once.

use futures::future::join_all;
use nova_testkit::{TestDatabase, TestService, server_config};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use sqlx::Postgres;
use sqlx::pool::PoolConnection;
use uuid::Uuid;

use crate::support::{problem, shop};

async fn post(shop: &TestService, key: &str, text: &str) -> Response {
    shop.client
        .post(shop.url("/notes"))
        .header("Idempotency-Key", key)
        .json(&json!({ "text": text }))
        .send()
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_write_gets_the_first_answer() {
    let database = nova_testkit::Postgres::shared().await.database("shop").await;
    let shop = TestService::start(shop(server_config(), &database.config()).0).await;
    let first = post(&shop, "key-1", "hello").await;
    assert_eq!(
        (first.status(), first.headers().get("idempotent-replayed")),
        (StatusCode::CREATED, None)
    );
    let again = post(&shop, "key-1", "hello").await;
    assert_eq!(again.status(), StatusCode::CREATED);
    assert_eq!(again.headers().get("idempotent-replayed").unwrap(), "true");
    let (first, again): (Value, Value) = (first.json().await.unwrap(), again.json().await.unwrap());
    assert_eq!(first, again);

    problem(
        post(&shop, "key-1", "something else").await,
        422,
        "idempotency_key_reused",
    )
    .await;
    problem(post(&shop, "", "hello").await, 400, "invalid_idempotency_key").await;
    problem(
        post(&shop, &"k".repeat(129), "hello").await,
        400,
        "invalid_idempotency_key",
    )
    .await;
    let notes: i64 = sqlx::query_scalar("select count(*) from notes")
        .fetch_one(&database.app())
        .await
        .unwrap();
    assert_eq!(notes, 1);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn simultaneous_writes_with_one_key_happen_once() {
    let database = nova_testkit::Postgres::shared().await.database("shop").await;
    let shop = TestService::start(shop(server_config(), &database.config()).0).await;
    let answers = join_all((0..20).map(|_| post(&shop, "key-2", "hello"))).await;
    let replayed = answers
        .iter()
        .filter(|answer| answer.headers().contains_key("idempotent-replayed"))
        .count();
    assert!(answers.iter().all(|answer| answer.status() == StatusCode::CREATED));
    assert_eq!(replayed, 19);
    let mut ids = Vec::new();
    for answer in answers {
        ids.push(answer.json::<Value>().await.unwrap()["id"].to_string());
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
    let notes: i64 = sqlx::query_scalar("select count(*) from notes")
        .fetch_one(&database.app())
        .await
        .unwrap();
    assert_eq!(notes, 1);
    shop.stop().await;
}

/// Makes the COMMIT of every new note wait for a lock, and takes that lock.
async fn hold_commits(database: &TestDatabase<'_>) -> PoolConnection<Postgres> {
    let owner = database.owner();
    let waiting = "create function shop.wait_for_the_test() returns trigger language plpgsql as
            $$ begin perform pg_advisory_xact_lock_shared(42); return null; end $$;
        create constraint trigger at_commit after insert on shop.notes
            deferrable initially deferred for each row execute function shop.wait_for_the_test()";
    sqlx::raw_sql(waiting).execute(&owner).await.unwrap();
    let mut connection = owner.acquire().await.unwrap();
    let lock = sqlx::query("select pg_advisory_lock(42)").execute(&mut *connection);
    lock.await.unwrap();
    connection
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_in_flight_outlives_the_callers_deadline() {
    let database = nova_testkit::Postgres::shared().await.database("shop").await;
    let shop = TestService::start(shop(server_config(), &database.config()).0).await;
    let mut held = hold_commits(&database).await;
    let write = || {
        let request = shop.client.post(shop.url("/notes")).header("Idempotency-Key", "key-4");
        request.json(&json!({ "text": "kept" }))
    };
    let cut_off = write().header("nova-timeout-ms", "1000").send().await.unwrap();
    problem(cut_off, 504, "outcome_unknown").await;

    // It is still there, in its COMMIT, and nobody sees its row yet.
    let waiting: Vec<String> = sqlx::query_scalar(
        "select query from pg_stat_activity where datname = current_database() and wait_event = 'advisory'",
    )
    .fetch_all(&database.superuser())
    .await
    .unwrap();
    assert_eq!(waiting, ["COMMIT"]);
    let notes = async || -> Vec<Uuid> {
        let app = database.app();
        let notes = sqlx::query_scalar("select id from notes").fetch_all(&app);
        notes.await.unwrap()
    };
    assert!(notes().await.is_empty());

    // A repetition waits for the first attempt, and gets its answer.
    let repeated = tokio::spawn(write().send());
    sqlx::query("select pg_advisory_unlock(42)")
        .execute(&mut *held)
        .await
        .unwrap();
    let repeated = repeated.await.unwrap().unwrap();
    assert_eq!(repeated.status(), StatusCode::CREATED);
    assert_eq!(repeated.headers().get("idempotent-replayed").unwrap(), "true");
    let answer: Value = repeated.json().await.unwrap();
    assert_eq!(answer["text"], "kept");
    assert_eq!(json!(notes().await), json!([answer["id"]]));
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_write_leaves_its_key_free() {
    let database = nova_testkit::Postgres::shared().await.database("shop").await;
    let shop = TestService::start(shop(server_config(), &database.config()).0).await;
    problem(post(&shop, "key-3", "a\0b").await, 400, "bad_request").await;
    assert_eq!(post(&shop, "key-3", "hello").await.status(), StatusCode::CREATED);
    shop.stop().await;
}
