//! What a consumer needs is gone for a while: it says so, waits, and loses and repeats nothing.

use nova_testkit::{Kafka, Postgres};

use super::support::{Bench, until};

#[tokio::test(flavor = "multi_thread")]
async fn postgres_goes_away_and_comes_back() {
    let postgres = Postgres::start().await;
    let bench = Bench::new(Kafka::shared().await, &postgres, 2).await;
    let events = |numbers: std::ops::Range<i64>| -> Vec<_> {
        numbers
            .map(|number| {
                bench.event(
                    i32::try_from(number % 2).unwrap(),
                    ["ada", "bob"][usize::try_from(number % 2).unwrap()],
                    number,
                )
            })
            .collect()
    };
    bench.write(&events(0..10)).await;
    let member = bench.member().await;
    bench.until_effects(10).await;
    member.until_up().await;
    postgres.stop().await;
    bench.write(&events(10..20)).await;
    member.until_down("waits").await;
    postgres.restart().await;
    bench.until_effects(20).await;
    member.until_up().await;
    assert_eq!(bench.of("ada").await, (0..20).step_by(2).collect::<Vec<_>>());
    assert_eq!(bench.of("bob").await, (1..20).step_by(2).collect::<Vec<_>>());
    assert_eq!(bench.letters().await, [], "an outage is no event's fault");
    member.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kafka_goes_away_and_comes_back() {
    let kafka = Kafka::start().await;
    let bench = Bench::new(&kafka, Postgres::shared().await, 1).await;
    bench.write(&[bench.event(0, "ada", 1)]).await;
    let member = bench.member().await;
    bench.until_effects(1).await;
    kafka.stop().await;
    member.until_down("no broker of Kafka answers").await;
    kafka.restart().await;
    bench.write(&[bench.event(0, "ada", 2)]).await;
    bench.until_effects(2).await;
    member.until_up().await;
    assert_eq!(bench.of("ada").await, [1, 2]);
    member.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_topic_is_named_and_found_when_it_is_made() {
    let kafka = Kafka::start().await;
    let bench = Bench::new(&kafka, Postgres::shared().await, 1).await;
    kafka.delete_topic(bench.topic).await;
    let member = bench.member().await;
    member.until_down(&format!("Kafka has no topic {}", bench.topic)).await;
    kafka.create_topic(bench.topic, 1).await;
    bench.write(&[bench.event(0, "ada", 1)]).await;
    bench.until_effects(1).await;
    member.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_was_made_anew_halts_its_partition() {
    let bench = Bench::shared(1).await;
    bench.write(&[bench.event(0, "ada", 1), bench.event(0, "ada", 2)]).await;
    let member = bench.member().await;
    bench.until_effects(2).await;
    member.stop().await;
    bench.kafka.delete_topic(bench.topic).await;
    until("the topic to be gone", async || {
        bench.kafka.read(bench.topic).await.is_empty()
    })
    .await;
    bench.kafka.create_topic(bench.topic, 1).await;
    bench.write(&[bench.event(0, "ada", 3)]).await;
    let member = bench.member().await;
    member.until_down("its place is 2, and the partition ends at 1").await;
    member.until_down("`nova events reset").await;
    assert_eq!(bench.of("ada").await, [1, 2]);
    // As that command does.
    bench.execute("delete from consumer_offsets").await;
    bench.until_effects(3).await;
    member.until_up().await;
    member.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_places_of_another_cluster_halt_it() {
    let bench = Bench::shared(1).await;
    bench.write(&[bench.event(0, "ada", 1)]).await;
    let member = bench.member().await;
    bench.until_effects(1).await;
    member.stop().await;
    bench.execute("update consumer_offsets set cluster = 'another'").await;
    let member = bench.member().await;
    member.until_down("its place is of Kafka's cluster another").await;
    member.stop().await;
}
