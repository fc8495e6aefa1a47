//! Events that cannot be applied: put aside, with those of their key that come later, and nothing else.

use nova_service::consumer::Guard;
use nova_testkit::TestRecord;
use rdkafka::Message;

use super::support::{Bench, until};

fn dead(offset: i64) -> (i64, String) {
    (offset, "dead".to_owned())
}

fn parked(offset: i64) -> (i64, String) {
    (offset, "parked".to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poisoned_event_parks_its_key_and_others_go_on() {
    let bench = Bench::shared(1).await;
    bench.break_event(1, "permanent").await;
    let records: Vec<_> = (0..10)
        .map(|number| bench.event(0, ["ada", "bob"][usize::try_from(number % 2).unwrap()], number))
        .collect();
    bench.write(&records).await;
    let member = bench.member().await;
    bench.until_effects(5).await;
    until("all of bob's to be put aside", async || {
        bench.letters().await.len() == 5
    })
    .await;
    assert_eq!(bench.of("ada").await, [0, 2, 4, 6, 8]);
    assert_eq!(bench.of("bob").await, [0_i64; 0]);
    assert_eq!(
        bench.letters().await,
        [dead(1), parked(3), parked(5), parked(7), parked(9)]
    );
    assert_eq!(bench.places().await, [10]);
    let (reason, attempts): (String, i32) =
        sqlx::query_as("select reason, attempts from consumer_dead_letters where state = 'dead'")
            .fetch_one(&bench.pool)
            .await
            .unwrap();
    assert_eq!((reason.as_str(), attempts), ("it is broken", 1));
    // Put aside is not down.
    member.until_up().await;
    member.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_be_the_events_fault_is_tried_a_few_times() {
    let bench = Bench::shared(1).await;
    for (number, how) in [(0, "failed"), (1, "statement"), (2, "panic")] {
        bench.break_event(number, how).await;
    }
    let keys = ["ada", "bob", "cid", "dan"];
    let records: Vec<_> = (0..4)
        .map(|n| bench.event(0, keys[usize::try_from(n).unwrap()], n))
        .collect();
    bench.write(&records).await;
    let member = bench.member().await;
    bench.until_effects(1).await;
    assert_eq!(bench.of("dan").await, [3]);
    assert_eq!(bench.letters().await, [dead(0), dead(1), dead(2)]);
    let attempts: Vec<i32> = sqlx::query_scalar("select attempts from consumer_dead_letters order by id")
        .fetch_all(&bench.pool)
        .await
        .unwrap();
    assert_eq!(attempts, [3, 3, 3]);
    member.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_event_is_put_aside_as_it_came() {
    let bench = Bench::shared(1).await;
    let mut nothing = bench.event(0, "ada", 0);
    nothing.headers.clear();
    let mut no_json = bench.event(0, "bob", 1);
    no_json.body = Some(b"no \0 json".to_vec());
    let mut keyless = bench.event(0, "cid", 2);
    keyless.key = None;
    let mut huge_key = bench.event(0, "dan", 3);
    huge_key.key = Some(vec![b'k'; 100_000]);
    let strange = TestRecord {
        partition: 0,
        key: Some(vec![0, 255]),
        headers: vec![("ce_type".to_owned(), "\u{1}".to_owned())],
        body: None,
    };
    let fine = bench.event(0, "eve", 5);
    bench.write(&[nothing, no_json, keyless, huge_key, strange, fine]).await;
    let member = bench.member().await;
    bench.until_effects(1).await;
    assert_eq!(bench.of("eve").await, [5]);
    assert_eq!(bench.letters().await, (0..5).map(dead).collect::<Vec<_>>());
    let body: Option<Vec<u8>> = sqlx::query_scalar("select body from consumer_dead_letters where record_offset = 1")
        .fetch_one(&bench.pool)
        .await
        .unwrap();
    assert_eq!(body.as_deref(), Some(&b"no \0 json"[..]));
    member.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_partition_stops_and_goes_on_when_there_is_room() {
    let bench = Bench::shared(1).await;
    for number in 0..4 {
        bench.break_event(number, "permanent").await;
    }
    let records: Vec<_> = (0..6)
        .map(|number| bench.event(0, &format!("key {number}"), number))
        .collect();
    bench.write(&records).await;
    let member = bench.member_with(|consumer| consumer.most_dead_letters(2)).await;
    member.until_down("is stopped: 2 events are put aside already").await;
    assert_eq!(bench.letters().await, [dead(0), dead(1)]);
    assert_eq!(bench.places().await, [2]);
    assert!(bench.effects().await.is_empty());
    // One is dropped: the next takes its place, and no more.
    bench
        .execute("delete from consumer_dead_letters where record_offset = 0")
        .await;
    until("the third to be put aside", async || {
        bench.letters().await == [dead(1), dead(2)]
    })
    .await;
    member.until_down("is stopped").await;
    assert_eq!(bench.places().await, [3]);
    // What is redriven makes room as well, while the partition is stopped.
    bench.mend().await;
    bench.ask_for_redrive().await;
    bench.until_effects(5).await;
    until("nothing to be put aside", async || bench.letters().await.is_empty()).await;
    let mut numbers: Vec<_> = bench.effects().await.into_iter().map(|(_, number)| number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    member.until_up().await;
    member.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_told_twice_or_late_has_no_second_effect() {
    let bench = Bench::shared(1).await;
    let (first, second) = (bench.event(0, "ada", 1), bench.event(0, "ada", 2));
    let last = bench.event(0, "bob", 3);
    bench.write(&[first.clone(), second.clone(), first, second, last]).await;
    let member = bench.member_with(|consumer| consumer.batch(2)).await;
    bench.until_effects(3).await;
    assert_eq!(bench.of("ada").await, [1, 2]);
    member.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_compares_for_itself_is_given_everything() {
    let bench = Bench::shared(1).await;
    let (first, last) = (bench.event(0, "ada", 1), bench.event(0, "bob", 2));
    bench.write(&[first.clone(), first, last]).await;
    let member = bench.member_with(|consumer| consumer.guard(Guard::Handler)).await;
    bench.until_effects(3).await;
    assert_eq!(bench.of("ada").await, [1, 1]);
    member.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kafka_shows_what_is_put_aside_and_no_more_when_it_is_not() {
    let bench = Bench::shared(1).await;
    let letters = format!("{}.dlq", bench.topic);
    bench.kafka.create_topic(&letters, 1).await;
    bench.break_event(1, "permanent").await;
    bench.write(&[bench.event(0, "ada", 1), bench.event(0, "ada", 2)]).await;
    let member = bench.member().await;
    until("two letters in Kafka", async || {
        bench.kafka.read(&letters).await.len() >= 2
    })
    .await;
    let shown = bench.kafka.read(&letters).await;
    let keys: Vec<_> = shown.iter().map(|record| record.key().unwrap().to_vec()).collect();
    for (offset, key) in keys.iter().enumerate() {
        assert_eq!(*key, format!("{}/{}/0/{offset}", bench.name, bench.topic).into_bytes());
    }
    assert!(shown.iter().all(|record| record.payload().is_some()));
    bench.mend().await;
    bench.ask_for_redrive().await;
    bench.until_effects(2).await;
    until("the copies to be taken back", async || {
        let shown = bench.kafka.read(&letters).await;
        let gone = shown.iter().filter(|record| record.payload().is_none());
        gone.count() >= 2
    })
    .await;
    until("nothing to be kept", async || {
        let kept: i64 = sqlx::query_scalar("select count(*) from consumer_dead_letters")
            .fetch_one(&bench.pool)
            .await
            .unwrap();
        kept == 0
    })
    .await;
    member.stop().await;
}
