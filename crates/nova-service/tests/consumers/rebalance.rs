//! Members that come and go share the partitions, and each event has its effect once.

use nova_service::consumer::{Consumer, Guard};

use super::support::Bench;

/// Without the chassis's guard, so that nothing but the transaction keeps an event from a second effect.
fn plain(consumer: Consumer) -> Consumer {
    consumer.guard(Guard::Handler)
}

#[tokio::test(flavor = "multi_thread")]
async fn members_come_and_go_while_events_come() {
    let bench = Bench::shared(4).await;
    let mut written = 0_i64;
    let mut write = async |count: i64| {
        let events: Vec<_> = (written..written + count)
            .map(|number| {
                let partition = i32::try_from(number % 4).unwrap();
                bench.event(partition, &format!("key {partition}"), number)
            })
            .collect();
        bench.write(&events).await;
        written += count;
    };
    write(40).await;
    let first = bench.member_with(plain).await;
    bench.until_effects(10).await;
    let second = bench.member_with(plain).await;
    write(40).await;
    bench.until_effects(60).await;
    let third = bench.member_with(plain).await;
    write(40).await;
    first.stop().await;
    write(40).await;
    bench.until_effects(140).await;
    second.stop().await;
    write(40).await;
    bench.until_effects(200).await;
    for partition in 0..4 {
        let wanted: Vec<i64> = (0..200).filter(|number| number % 4 == i64::from(partition)).collect();
        assert_eq!(bench.of(&format!("key {partition}")).await, wanted);
    }
    assert_eq!(bench.places().await, [50; 4]);
    third.stop().await;
}
