//! What was put aside is applied when somebody asks: in order, behind nothing newer, once.

use super::support::{Bench, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_redrive_keeps_the_order_of_its_key() {
    let bench = Bench::shared(1).await;
    bench.break_event(0, "permanent").await;
    let records: Vec<_> = (0..4).map(|number| bench.event(0, "ada", number)).collect();
    bench.write(&records).await;
    let member = bench.member().await;
    until("all to be put aside", async || bench.letters().await.len() == 4).await;
    bench.mend().await;
    // Asked for the last alone: its key begins with the first.
    bench
        .execute("update consumer_dead_letters set redrive_asked_at = now() where record_offset = 3")
        .await;
    // These come meanwhile, and stay behind.
    let later: Vec<_> = (4..8).map(|number| bench.event(0, "ada", number)).collect();
    bench.write(&later).await;
    bench.until_effects(8).await;
    assert_eq!(bench.of("ada").await, (0..8).collect::<Vec<_>>());
    assert_eq!(bench.letters().await, []);
    member.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_again_stays_with_all_behind_it() {
    let bench = Bench::shared(1).await;
    bench.break_event(0, "permanent").await;
    bench.break_event(2, "failed").await;
    let records: Vec<_> = (0..4).map(|number| bench.event(0, "ada", number)).collect();
    bench.write(&records).await;
    let member = bench.member().await;
    until("all to be put aside", async || bench.letters().await.len() == 4).await;
    bench.execute("delete from broken where number = 0").await;
    bench.ask_for_redrive().await;
    until("two to be left", async || {
        bench.letters().await == [(2, "dead".to_owned()), (3, "parked".to_owned())]
    })
    .await;
    assert_eq!(bench.of("ada").await, [0, 1]);
    let asked: i64 = sqlx::query_scalar("select count(redrive_asked_at) from consumer_dead_letters")
        .fetch_one(&bench.pool)
        .await
        .unwrap();
    assert_eq!(asked, 0, "the wish is over");
    member.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_event_never_overwrites_a_newer_state() {
    let bench = Bench::shared(1).await;
    bench.break_event(0, "permanent").await;
    bench.write(&[bench.event(0, "ada", 0), bench.event(0, "bob", 1)]).await;
    let member = bench.member().await;
    bench.until_effects(1).await;
    // As after a snapshot: what the key is now came by another way.
    bench
        .execute(&format!(
            "insert into consumer_versions select consumer, topic, key, 2, 1, 0 from consumer_dead_letters where topic = '{}'",
            bench.topic
        ))
        .await;
    bench.mend().await;
    bench.ask_for_redrive().await;
    until("nothing to be put aside", async || bench.letters().await.is_empty()).await;
    assert_eq!(bench.of("ada").await, [0_i64; 0]);
    member.stop().await;
}
