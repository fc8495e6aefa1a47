//! A consumer that writes down what it was given, and what is needed to look at it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use nova_service::config::{KafkaConfig, PostgresConfig};
use nova_service::consumer::{Consumer, Event, Handler, HandlerError};
use nova_service::{PartState, Postgres, Service};
use nova_testkit::{Kafka, TestDatabase, TestRecord, TestService, server_config};
use serde::Deserialize;
use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, PgConnection, PgPool};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

static MIGRATOR: Migrator = sqlx::migrate!("tests/migrations");

pub(crate) const KIND: &str = "nova.tests.happened.v1";
const DEADLINE: Duration = Duration::from_secs(60);

/// Writes each event into `effects`. An event whose number stands in `broken` fails as that row says.
pub(crate) struct Notes;

#[derive(Deserialize)]
struct Happened {
    number: i64,
}

impl Handler for Notes {
    fn wants(&self, kind: &str) -> bool {
        kind == KIND
    }

    fn apply<'t>(
        &'t self,
        connection: &'t mut PgConnection,
        events: &'t [Event],
    ) -> BoxFuture<'t, Result<(), HandlerError>> {
        async move {
            for event in events {
                let body = event.record().body.as_deref().unwrap_or_default();
                let happened: Happened = serde_json::from_slice(body).map_err(HandlerError::permanent)?;
                let how: Option<String> = sqlx::query_scalar("select how from broken where number = $1")
                    .bind(happened.number)
                    .fetch_optional(&mut *connection)
                    .await?;
                match how.as_deref() {
                    Some("permanent") => return Err(HandlerError::permanent("it is broken")),
                    Some("failed") => return Err(HandlerError::failed("it may be broken")),
                    Some("panic") => panic!("on purpose"),
                    Some("statement") => {
                        sqlx::query("select 1 / 0").execute(&mut *connection).await?;
                    }
                    _ => {}
                }
                sqlx::query("insert into effects (key, number) values ($1, $2)")
                    .bind(String::from_utf8_lossy(event.key()).into_owned())
                    .bind(happened.number)
                    .execute(&mut *connection)
                    .await?;
            }
            Ok(())
        }
        .boxed()
    }
}

/// A topic, a database and a consumer's name, all of one test.
pub(crate) struct Bench<'a> {
    pub(crate) kafka: &'a Kafka,
    pub(crate) database: TestDatabase<'a>,
    pub(crate) topic: &'static str,
    pub(crate) name: &'static str,
    pub(crate) pool: PgPool,
    lsn: AtomicU64,
}

impl<'a> Bench<'a> {
    pub(crate) async fn new(kafka: &'a Kafka, postgres: &'a nova_testkit::Postgres, partitions: i32) -> Self {
        let database = postgres.database("shop").await;
        let owner = database.owner();
        let tables =
            "create table effects (id bigint generated always as identity primary key, key text, number bigint);
                      create table broken (number bigint primary key, how text not null)";
        sqlx::raw_sql(tables).execute(&owner).await.unwrap();
        owner.close().await;
        let topic = kafka.topic("nova.tests", partitions).await;
        let name = Box::leak(format!("shop.{}", Uuid::new_v4().simple()).into_boxed_str());
        Self {
            kafka,
            pool: database.app(),
            database,
            topic,
            name,
            lsn: AtomicU64::new(100),
        }
    }

    /// On the servers that all tests share.
    pub(crate) async fn shared(partitions: i32) -> Bench<'static> {
        Bench::new(
            Kafka::shared().await,
            nova_testkit::Postgres::shared().await,
            partitions,
        )
        .await
    }

    /// A member of the consumer's group.
    pub(crate) async fn member(&self) -> Member {
        self.member_with(|consumer| consumer).await
    }

    pub(crate) async fn member_with(&self, change: impl FnOnce(Consumer) -> Consumer) -> Member {
        member(
            self.name,
            self.topic,
            &self.kafka.config(),
            &self.database.config(),
            change,
        )
        .await
    }

    /// An event; its version is greater than that of any before.
    pub(crate) fn event(&self, partition: i32, key: &str, number: i64) -> TestRecord {
        let lsn = self.lsn.fetch_add(1, Ordering::Relaxed);
        let body = format!("{{\"number\": {number}, \"more\": true}}");
        TestRecord {
            partition,
            key: Some(key.as_bytes().to_vec()),
            headers: headers(KIND, lsn),
            body: Some(body.into_bytes()),
        }
    }

    pub(crate) async fn write(&self, records: &[TestRecord]) {
        self.kafka.write(self.topic, records).await;
    }

    /// What has had an effect, in order, as key and number.
    pub(crate) async fn effects(&self) -> Vec<(String, i64)> {
        sqlx::query_as("select key, number from effects order by id")
            .fetch_all(&self.pool)
            .await
            .unwrap_or_default()
    }

    /// The numbers of one key, in the order of their effects.
    pub(crate) async fn of(&self, key: &str) -> Vec<i64> {
        let effects = self.effects().await;
        effects
            .into_iter()
            .filter(|(other, _)| other == key)
            .map(|(_, number)| number)
            .collect()
    }

    pub(crate) async fn until_effects(&self, count: usize) {
        until(&format!("{count} effects"), async || {
            self.effects().await.len() >= count
        })
        .await;
    }

    /// What is put aside, in order, as number of the record and state.
    pub(crate) async fn letters(&self) -> Vec<(i64, String)> {
        sqlx::query_as(
            "select record_offset, state from consumer_dead_letters where state <> 'gone' order by partition, record_offset",
        )
        .fetch_all(&self.pool)
        .await
        .unwrap_or_default()
    }

    pub(crate) async fn break_event(&self, number: i64, how: &str) {
        self.execute(&format!("insert into broken values ({number}, '{how}')"))
            .await;
    }

    pub(crate) async fn mend(&self) {
        self.execute("delete from broken").await;
    }

    /// As `nova events dlq redrive` does.
    pub(crate) async fn ask_for_redrive(&self) {
        self.execute("update consumer_dead_letters set redrive_asked_at = now() where state <> 'gone'")
            .await;
    }

    pub(crate) async fn execute(&self, statement: &str) {
        let done = sqlx::query(AssertSqlSafe(statement.to_owned()))
            .execute(&self.pool)
            .await;
        done.unwrap_or_else(|error| panic!("`{statement}`: {error}"));
    }

    /// The places that are stored, by partition.
    pub(crate) async fn places(&self) -> Vec<i64> {
        sqlx::query_scalar("select next_offset from consumer_offsets order by partition")
            .fetch_all(&self.pool)
            .await
            .unwrap_or_default()
    }
}

pub(crate) fn headers(kind: &str, lsn: u64) -> Vec<(String, String)> {
    let id = Uuid::now_v7().to_string();
    let lsn = lsn.to_string();
    [
        ("ce_specversion", "1.0"),
        ("ce_id", &id),
        ("ce_type", kind),
        ("ce_source", "/tests"),
        ("ce_subject", "something"),
        ("ce_time", "2026-11-29T21:00:00Z"),
        ("content-type", "application/json"),
        ("nova_epoch", "1"),
        ("nova_lsn", &lsn),
        ("nova_ordinal", "0"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// A consumer that writes down what it was given, as a part of a service.
pub(crate) async fn member(
    name: &'static str,
    topic: &'static str,
    kafka: &KafkaConfig,
    database: &PostgresConfig,
    change: impl FnOnce(Consumer) -> Consumer,
) -> Member {
    let postgres = Postgres::new(database);
    let consumer = Consumer::new(name, &[topic], kafka, &postgres, Notes)
        .batch(5)
        .attempts(3)
        .session(Duration::from_secs(2));
    let consumer = change(consumer);
    let state = consumer.state().clone();
    let service = Service::new("shop", "1.2.3", server_config())
        .postgres(&postgres, &MIGRATOR)
        .consumer(consumer);
    let service = TestService::start_unready(service).await;
    Member { state, service }
}

/// A service with a consumer, in this process.
pub(crate) struct Member {
    pub(crate) state: PartState,
    pub(crate) service: TestService,
}

impl Member {
    /// As SIGTERM does.
    pub(crate) async fn stop(self) {
        self.service.stop().await;
    }

    /// Waits until readiness gives a reason that contains this.
    pub(crate) async fn until_down(&self, wanted: &str) {
        until(&format!("a reason with {wanted:?}"), async || {
            self.state.reason().is_some_and(|reason| reason.contains(wanted))
        })
        .await;
    }

    pub(crate) async fn until_up(&self) {
        until("it to be up", async || self.state.reason().is_none()).await;
    }
}

pub(crate) async fn until(what: &str, wanted: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !wanted().await {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        sleep(Duration::from_millis(20)).await;
    }
}
