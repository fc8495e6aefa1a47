//! The main path, and what is large, wrong, or idle.

use nova_events::topics::accounts::{AccountEvent, Deleted, Registered};
use nova_events::{Envelope, Event, REJECTED};
use nova_service::Teller;
use rdkafka::message::{Headers, Message};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::support::Stage;
use crate::writers::{Writers, judge, tell};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_committed_is_published_once_and_in_order() {
    let stage = Stage::new().await;
    let member = stage.member(&[]);
    member.until_role("publishes").await;
    let writers = Writers::start(&stage.pool, 3);
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let acknowledged = writers.stop().await;
    assert!(acknowledged.len() > 100, "{} events are too few", acknowledged.len());
    let published = stage.until_probes(acknowledged.len()).await;
    judge(&acknowledged, &published);

    an_event_has_its_headers_and_its_key(&stage).await;
    what_is_no_event_is_kept_with_its_reason(&stage).await;
    a_large_transaction_comes_whole_and_in_order(&stage).await;
    what_others_write_holds_nothing_back(&stage).await;
    let shown = member.shown().await.unwrap();
    assert_eq!(shown["protected"], false, "there is no standby: {shown}");
    assert_eq!(stage.epochs().await.len(), 1, "only the first start began an epoch");
}

async fn an_event_has_its_headers_and_its_key(stage: &Stage) {
    let id = Uuid::now_v7();
    let registered = AccountEvent::from(Registered {
        account_id: id,
        email: "ada@example.org".to_owned(),
        created_at: OffsetDateTime::from_unix_timestamp(1_795_000_000).unwrap(),
    });
    let deleted = AccountEvent::from(Deleted { account_id: id });
    let mut transaction = stage.pool.begin().await.unwrap();
    for event in [&registered, &deleted] {
        Teller::new("/auth-service")
            .emit(&mut transaction, event)
            .await
            .unwrap();
    }
    transaction.commit().await.unwrap();
    let records = loop {
        let records = stage.kafka.read(AccountEvent::TOPIC.name).await;
        if records.len() == 2 {
            break records;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    let read: Vec<_> = records
        .iter()
        .map(|record| {
            let headers: Vec<_> = record
                .headers()
                .unwrap()
                .iter()
                .map(|header| (header.key, header.value))
                .collect();
            let envelope = Envelope::from_headers(headers).unwrap();
            assert_eq!(
                (envelope.subject.as_bytes(), envelope.source.as_str()),
                (record.key().unwrap(), "/auth-service")
            );
            AccountEvent::decode(&envelope.kind, record.payload().unwrap())
                .unwrap()
                .unwrap()
        })
        .collect();
    assert_eq!(read, [registered, deleted]);
}

async fn what_is_no_event_is_kept_with_its_reason(stage: &Stage) {
    stage
        .sql("select pg_logical_emit_message(true, 'nova.event', 'nonsense'), pg_logical_emit_message(true, 'other', 'not for us')")
        .await;
    let records = loop {
        let records = stage.kafka.read(REJECTED.name).await;
        if !records.is_empty() {
            break records;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].payload(), Some(&b"nonsense"[..]));
    let reason = records[0]
        .headers()
        .unwrap()
        .iter()
        .find(|header| header.key == "nova_reason")
        .unwrap();
    assert_eq!(reason.value, Some(&b"it has no first line that is its envelope"[..]));
}

async fn a_large_transaction_comes_whole_and_in_order(stage: &Stage) {
    let before = stage.probes().await.len();
    let probes: Vec<String> = (0..7_000).map(|number| format!("large/{number:05}")).collect();
    tell(&stage.pool, &probes).await;
    let published = stage.until_probes(before + probes.len()).await;
    let names: Vec<_> = published[before..].iter().map(|(_, probe)| probe.clone()).collect();
    assert_eq!(names, probes);
    assert_eq!(published.last().unwrap().0.ordinal, 6_999);
}

/// The slot follows the log although nothing is told.
async fn what_others_write_holds_nothing_back(stage: &Stage) {
    stage
        .sql("insert into written select 0, n from generate_series(1, 60000) n")
        .await;
    let (end,): (i64,) = sqlx::query_as("select (pg_current_wal_lsn() - '0/0')::bigint")
        .fetch_one(&stage.pool)
        .await
        .unwrap();
    loop {
        let query = "select (confirmed_flush_lsn - '0/0')::bigint from pg_replication_slots";
        let (slot,): (i64,) = sqlx::query_as(query).fetch_one(&stage.pool).await.unwrap();
        if slot >= end {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn nothing_is_told_outside_a_transaction() {
    let postgres = nova_testkit::Postgres::shared().await;
    let database = postgres.database("outside").await;
    let mut connection = database.app().acquire().await.unwrap();
    let event = AccountEvent::from(Deleted {
        account_id: Uuid::now_v7(),
    });
    let error = Teller::new("/test").emit(&mut connection, &event).await.unwrap_err();
    assert_eq!(error.to_string(), "statement failed");
}
