//! What `nova events` asks and changes is what consumers keep.

use std::collections::BTreeMap;

use nova_platform::components::Kind;
use nova_platform::desk::{Answer, Desk, Request};
use nova_platform::endpoints::{Endpoints, HostPort, StoreEndpoint};
use nova_platform::provision::SUPERUSER_SECRET;
use nova_platform::secrets::Secrets;

use super::support::{Bench, until};

/// The desk of a platform whose one schema with consumers is the test's.
fn desk(bench: &Bench<'_>) -> Desk {
    let config = bench.database.config();
    let mut spec = nova_platform::load::load(None).unwrap().spec;
    let service = spec.services.get_mut("user-service").unwrap();
    service.database = Some(config.database);
    service.schema = Some(config.schema);
    spec.services.retain(|name, _| name == "user-service");
    let generated = Secrets::generate(&spec).unwrap();
    let mut values: BTreeMap<_, _> = generated
        .values()
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .collect();
    values.insert(SUPERUSER_SECRET.to_owned(), "for tests only".into());
    let primary = HostPort::new(config.primary.host, config.primary.port);
    let brokers = bench.kafka.config().brokers.into_iter();
    let kafka =
        brokers.map(|broker| StoreEndpoint::at("kafka-1", Kind::Kafka, HostPort::new(broker.host, broker.port)));
    let endpoints = Endpoints {
        stores: kafka.collect(),
        replicas: primary.clone(),
        primary,
        services: BTreeMap::new(),
    };
    Desk::new(&spec, &endpoints, &Secrets::from_values(values).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_aside_is_listed_shown_redriven_and_dropped() {
    let bench = Bench::shared(1).await;
    bench.break_event(0, "permanent").await;
    bench.break_event(2, "permanent").await;
    let events = [
        bench.event(0, "ada", 0),
        bench.event(0, "ada", 1),
        bench.event(0, "bob", 2),
        bench.event(0, "bob", 3),
        bench.event(0, "cid", 4),
    ];
    bench.write(&events).await;
    let member = bench.member().await;
    bench.until_effects(1).await;
    until("four to be put aside", async || bench.letters().await.len() == 4).await;
    let (desk, consumer) = (desk(&bench), bench.name.to_owned());

    let Answer::Lag { places } = desk.answer(&Request::Lag).await else {
        panic!("no places")
    };
    assert_eq!(places.len(), 1);
    let place = &places[0];
    assert_eq!(
        (place.next, place.end, place.behind, place.put_aside),
        (5, Some(5), Some(0), 4)
    );

    let list = Request::Letters { consumer: None };
    let Answer::Letters { letters } = desk.answer(&list).await else {
        panic!("no letters")
    };
    let seen: Vec<_> = letters
        .iter()
        .map(|letter| (letter.key.as_str(), letter.state.as_str()))
        .collect();
    assert_eq!(
        seen,
        [("ada", "dead"), ("ada", "parked"), ("bob", "dead"), ("bob", "parked")]
    );
    let show = Request::Letter {
        consumer: consumer.clone(),
        id: letters[0].id,
    };
    let Answer::Letter { letter } = desk.answer(&show).await else {
        panic!("no letter")
    };
    assert_eq!(letter.seen.reason, "it is broken");
    assert_eq!(letter.headers["ce_type"], "nova.tests.happened.v1");
    assert_eq!(letter.body.as_deref(), Some("{\"number\": 0, \"more\": true}"));

    // Of one key the head is named: its whole key is asked for, and no other.
    bench.mend().await;
    let redrive = Request::Redrive {
        consumer: consumer.clone(),
        ids: vec![letters[0].id],
    };
    assert_eq!(desk.answer(&redrive).await, Answer::Changed { count: 2 });
    bench.until_effects(3).await;
    assert_eq!(bench.of("ada").await, [0, 1]);

    // Of the other the head is given up: what is behind it stays until it is asked for.
    let drop = Request::Drop {
        consumer: consumer.clone(),
        ids: vec![letters[2].id],
    };
    assert_eq!(desk.answer(&drop).await, Answer::Changed { count: 1 });
    assert_eq!(bench.letters().await, [(3, "parked".to_owned())]);
    let all = Request::Redrive {
        consumer: consumer.clone(),
        ids: Vec::new(),
    };
    assert_eq!(desk.answer(&all).await, Answer::Changed { count: 1 });
    bench.until_effects(4).await;
    assert_eq!(bench.of("bob").await, [3]);

    let tail = Request::Tail {
        topic: bench.topic.to_owned(),
        count: 2,
    };
    let Answer::Tail { records } = desk.answer(&tail).await else {
        panic!("no records")
    };
    let offsets: Vec<_> = records.iter().map(|record| record.offset).collect();
    assert_eq!(offsets, [3, 4]);
    let Answer::Topics { topics } = desk.answer(&Request::Topics).await else {
        panic!("no topics")
    };
    let ours = topics.iter().find(|topic| topic.name == bench.topic).unwrap();
    assert_eq!((ours.partitions, ours.records), (1, 5));

    // Beginning anew repeats nothing; a replay is all of it once more.
    let topic = bench.topic.to_owned();
    let reset = |again| Request::Reset {
        consumer: consumer.clone(),
        topic: topic.clone(),
        again,
    };
    assert_eq!(desk.answer(&reset(true)).await, Answer::Changed { count: 1 });
    bench.until_effects(9).await;
    assert_eq!(bench.of("ada").await, [0, 1, 0, 1]);
    assert_eq!(desk.answer(&reset(false)).await, Answer::Changed { count: 1 });
    bench.write(&[bench.event(0, "dan", 5)]).await;
    bench.until_effects(10).await;
    assert_eq!(bench.of("dan").await, [5]);
    assert_eq!(bench.effects().await.len(), 10);
    member.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_named() {
    let bench = Bench::shared(1).await;
    let member = bench.member().await;
    until("a place", async || bench.places().await.len() == 1).await;
    let desk = desk(&bench);
    let why = async |request| match desk.answer(&request).await {
        Answer::Refused { why } => why,
        answer => panic!("answered: {answer:?}"),
    };
    let nobody = Request::Redrive {
        consumer: "nobody".to_owned(),
        ids: Vec::new(),
    };
    assert!(why(nobody).await.contains("no service has a consumer nobody"));
    let nothing = Request::Letter {
        consumer: bench.name.to_owned(),
        id: 4711,
    };
    assert!(why(nothing).await.contains("has put aside no event 4711"));
    let nowhere = Request::Tail {
        topic: "nova.nowhere".to_owned(),
        count: 1,
    };
    assert!(why(nowhere).await.contains("there is no topic nova.nowhere"));
    member.stop().await;
}
