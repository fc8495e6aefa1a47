//! What breaks the thread between what was published and what the log says: each begins an epoch, and says why.

use crate::support::{SLOT, Stage};
use crate::writers::tell;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_was_made_anew_begins_an_epoch() {
    let stage = Stage::new().await;
    let mut member = stage.member(&[]);
    member.until_role("publishes").await;
    tell(&stage.pool, &["first".to_owned()]).await;
    stage.until_probes(1).await;
    member.kill();

    // While it is gone nobody can publish, and that is said.
    drop_slot(&stage).await;
    tell(&stage.pool, &["never sent".to_owned()]).await;
    let member = stage.member(&[]);
    let shown = member.until_role("waits").await;
    let shown = match shown["reason"].as_str() {
        Some(reason) if reason.contains("no replication slot") => shown,
        _ => {
            member
                .until(|shown| {
                    shown["reason"]
                        .as_str()
                        .is_some_and(|reason| reason.contains("no replication slot"))
                })
                .await
        }
    };
    assert_eq!(shown["role"], "waits");
    stage.make_slot().await;
    let shown = member.until_role("publishes").await;
    assert_eq!(shown["broken"], "slot_ahead");
    tell(&stage.pool, &["second".to_owned()]).await;
    let probes = stage.until_probes(2).await;
    assert_eq!(probes[1].1, "second");
    assert!(probes[0].0.epoch < probes[1].0.epoch);
    let epochs = stage.epochs().await;
    assert_eq!(epochs.len(), 2);
    assert!(epochs[1].1.contains("slot was made anew"), "{epochs:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stores_that_go_away_are_waited_for() {
    let stage = Stage::new().await;
    let member = stage.member(&[]);
    member.until_role("publishes").await;
    tell(&stage.pool, &["first".to_owned()]).await;
    stage.until_probes(1).await;
    stage.postgres.stop().await;
    member.until_role("waits").await;
    stage.postgres.restart().await;
    member.until_role("publishes").await;
    // Connections of before the crash are dead.
    while sqlx::query("select 1").execute(&stage.pool).await.is_err() {}
    tell(&stage.pool, &["second".to_owned()]).await;
    stage.until_probes(2).await;

    stage.kafka.stop().await;
    tell(&stage.pool, &["third".to_owned()]).await;
    member.until_role("waits").await;
    stage.kafka.restart().await;
    let names: Vec<_> = stage
        .until_probes(3)
        .await
        .into_iter()
        .map(|(_, probe)| probe)
        .collect();
    assert_eq!(names, ["first", "second", "third"]);
    assert_eq!(stage.epochs().await.len(), 1);
}

async fn drop_slot(stage: &Stage) {
    let drop = format!("select pg_drop_replication_slot('{SLOT}')");
    loop {
        match sqlx::query(sqlx::AssertSqlSafe(drop.clone()))
            .execute(&stage.pool)
            .await
        {
            Ok(_) => return,
            // PostgreSQL has not noticed yet that its reader is gone.
            Err(error) if error.to_string().contains("active") => {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
}
