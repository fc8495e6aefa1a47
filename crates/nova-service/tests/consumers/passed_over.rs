//! What a consumer does not know is passed over and counted.

use super::support::{Bench, headers, until};

#[tokio::test(flavor = "multi_thread")]
async fn unknown_types_are_passed_over_and_counted() {
    let bench = Bench::shared(1).await;
    let mut records = vec![bench.event(0, "ada", 1)];
    for _ in 0..7 {
        let mut unknown = bench.event(0, "ada", 2);
        unknown.headers = headers("nova.tests.happened.v2", 1);
        unknown.body = Some(b"anything".to_vec());
        records.push(unknown);
    }
    records.push(bench.event(0, "ada", 3));
    bench.write(&records).await;
    let member = bench.member().await;
    bench.until_effects(2).await;
    assert_eq!(bench.of("ada").await, [1, 3]);
    assert_eq!(bench.places().await, [9]);
    let line = format!(
        "nova_consumer_events_total{{consumer=\"{}\",topic=\"{}\",result=\"unknown\"}} 7",
        bench.name, bench.topic
    );
    until(&line, async || {
        let metrics = member.service.operations("/metrics").await.text().await.unwrap();
        metrics.contains(&line)
    })
    .await;
    member.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_of_nothing_known_moves_on() {
    let bench = Bench::shared(1).await;
    let unknown = |_| {
        let mut unknown = bench.event(0, "ada", 2);
        unknown.headers = headers("nova.tests.another.v1", 1);
        unknown
    };
    bench.write(&(0..3).map(unknown).collect::<Vec<_>>()).await;
    let member = bench.member().await;
    until("the place to move", async || bench.places().await == [3]).await;
    assert_eq!(bench.effects().await, []);
    member.stop().await;
}
