//! What no synchronous standby has is not published: a failover could undo it.

use std::time::Duration;

use tokio::time::sleep;

use crate::support::Stage;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_failover_could_undo_is_not_published() {
    let stage = Stage::new().await;
    let member = stage.member(&[]);
    member.until_role("publishes").await;
    // A quorum of standbys that are not there. The writer does not wait for it, as nobody's COMMIT is waited for that is under way when
    // its server dies.
    stage
        .sql("alter system set synchronous_standby_names = 'ANY 1 (\"away-1\", \"away-2\")'")
        .await;
    stage.sql("select pg_reload_conf()").await;
    sleep(Duration::from_millis(500)).await;
    let unsafe_ = "set synchronous_commit = local; begin; ";
    let body = r#"{"topic":"nova.cdc.probe","id":"019ac000-0000-7000-8000-000000000001","type":"nova.probes.sent.v1","source":"/t","subject":"s","time":"2026-11-29T22:00:00Z"}"#;
    stage
        .sql(&format!(
            "{unsafe_} select pg_logical_emit_message(true, 'nova.event', '{body}' || chr(10) || '{{\"probe\":\"s\"}}'); commit; set synchronous_commit = on;"
        ))
        .await;
    member.until_role("waits_for_standbys").await;
    sleep(Duration::from_secs(2)).await;
    assert_eq!(
        stage.probes().await.len(),
        0,
        "published although a failover could undo it"
    );
    stage.sql("alter system reset synchronous_standby_names").await;
    stage.sql("select pg_reload_conf()").await;
    assert_eq!(stage.until_probes(1).await[0].1, "s");
}
