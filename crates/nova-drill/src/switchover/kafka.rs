//! A broker gives up every leadership of the drill's partitions: another copy that is in sync becomes the preferred one
//! (AlterPartitionReassignments) and is elected (ElectLeaders). librdkafka has no call for either.
//!
//! The controller stays where it is: Kafka has no request by which one steps down.

use std::sync::Arc;
use std::time::Duration;

use nova_platform::components::Kind;
use nova_platform::endpoints::HostPort;
use nova_platform::kafka_wire::{Answer, Request, exchange};
use rdkafka::consumer::{BaseConsumer, Consumer};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};

use super::{Refusal, Refusals, SwitchoverError};
use crate::doors::Site;
use crate::doors::kafka::{TOPICS, bootstrap, common};

const ALTER_PARTITION_REASSIGNMENTS: i16 = 45;
const ALTER_VERSION: i16 = 0;
const ELECT_LEADERS: i16 = 43;
const ELECT_VERSION: i16 = 2;
const PREFERRED: i8 = 0;
/// ELECTION_NOT_NEEDED: who is preferred leads already.
const NOT_NEEDED: i16 = 84;
/// A broker answers each request within this, by its own clock and by ours.
const LIMIT: Duration = Duration::from_secs(10);
/// Brokers know the new leaders within this.
const SETTLED: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// One partition and its copies, the preferred leader first.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Partition {
    topic: String,
    id: i32,
    leader: i32,
    copies: Vec<i32>,
    in_sync: Vec<i32>,
}

/// What the brokers say of themselves and of the drill's topics.
struct View {
    brokers: Vec<(i32, HostPort)>,
    partitions: Vec<Partition>,
}

/// Moves every leadership of the drill's partitions away from `leader`.
pub(super) async fn switch(leader: &str, site: &Site<'_>) -> Result<(), SwitchoverError> {
    let mut brokers = site.endpoints.of(Kind::Kafka).into_iter();
    let broker = brokers.find(|member| member.member == leader);
    let broker = &broker
        .ok_or_else(|| SwitchoverError::NoMember {
            leader: leader.to_owned(),
            store: "Kafka",
        })?
        .address;
    let client = Arc::new(
        common(&bootstrap(site.endpoints))
            .create()
            .map_err(SwitchoverError::Unseen)?,
    );
    let before = view(&client).await?;
    let old = before.brokers.iter().find(|(_, address)| address == broker);
    let (old, _) = old.ok_or_else(|| SwitchoverError::NotRegistered {
        leader: leader.to_owned(),
        address: broker.clone(),
    })?;
    let moved = before.partitions.iter().filter(|partition| partition.leader == *old);
    let moved: Vec<Partition> = moved
        .map(|partition| handed_over(partition, *old))
        .collect::<Result<_, _>>()?;
    if moved.is_empty() {
        return Err(SwitchoverError::LeadsNothing {
            leader: leader.to_owned(),
        });
    }
    ask(&before, &alter(&moved), altered, "AlterPartitionReassignments").await?;
    ask(&before, &elect(&moved), elected, "ElectLeaders").await?;
    settled(&client, *old, before.partitions.len()).await
}

/// The same copies in an order that prefers another one that is in sync.
fn handed_over(partition: &Partition, old: i32) -> Result<Partition, SwitchoverError> {
    let can_lead = |copy: &&i32| **copy != old && partition.in_sync.contains(copy);
    let next = partition.copies.iter().find(can_lead);
    let next = *next.ok_or_else(|| SwitchoverError::NoSuccessor {
        partition: partition.id,
        topic: partition.topic.clone(),
    })?;
    let others = partition.copies.iter().filter(|copy| **copy != next).copied();
    Ok(Partition {
        copies: [next].into_iter().chain(others).collect(),
        ..partition.clone()
    })
}

/// Asks any broker: each passes such a request on to the controller that leads.
async fn ask(
    view: &View,
    request: &Request,
    read: fn(&[u8]) -> Option<Result<(), Refusals>>,
    name: &'static str,
) -> Result<(), SwitchoverError> {
    let mut tried = Vec::new();
    for (_, address) in &view.brokers {
        match timeout(LIMIT, exchange(address, request)).await {
            Ok(Ok(answer)) => {
                let (address, request) = (address.clone(), name);
                return match read(&answer) {
                    Some(Ok(())) => Ok(()),
                    Some(Err(refused)) => Err(SwitchoverError::BrokerRefused {
                        address,
                        request,
                        refused,
                    }),
                    None => Err(SwitchoverError::NotUnderstood { address, request }),
                };
            }
            Ok(Err(error)) => tried.push(error),
            Err(_) => tried.push(format!("{address}: no answer within {} s", LIMIT.as_secs())),
        }
    }
    Err(SwitchoverError::NoBroker { request: name, tried })
}

fn limit_ms() -> i32 {
    i32::try_from(LIMIT.as_millis()).unwrap_or(i32::MAX)
}

fn alter(moved: &[Partition]) -> Request {
    Request::flexible(ALTER_PARTITION_REASSIGNMENTS, ALTER_VERSION)
        .i32(limit_ms())
        .each(moved, |request, partition| {
            let one = std::slice::from_ref(partition);
            let partitions = request.text(&partition.topic).each(one, |request, partition| {
                let copies = request.i32(partition.id);
                copies.each(&partition.copies, |request, copy| request.i32(*copy)).end()
            });
            partitions.end()
        })
        .end()
}

fn elect(moved: &[Partition]) -> Request {
    Request::flexible(ELECT_LEADERS, ELECT_VERSION)
        .i8(PREFERRED)
        .each(moved, |request, partition| {
            let partitions = request.text(&partition.topic);
            partitions.each(&[partition.id], |request, id| request.i32(*id)).end()
        })
        .i32(limit_ms())
        .end()
}

/// `None` when the answer is not understood.
fn altered(bytes: &[u8]) -> Option<Result<(), Refusals>> {
    let mut answer = Answer::flexible(bytes)?;
    answer.i32()?; // throttled for
    let (error, said) = (answer.i16()?, answer.text()?);
    if error != 0 {
        return Some(Err(whole(error, &said)));
    }
    results(&mut answer, &[])
}

fn elected(bytes: &[u8]) -> Option<Result<(), Refusals>> {
    let mut answer = Answer::flexible(bytes)?;
    answer.i32()?; // throttled for
    let error = answer.i16()?;
    if error != 0 {
        return Some(Err(whole(error, "")));
    }
    results(&mut answer, &[NOT_NEEDED])
}

/// Topics and, of each partition, what came of it: both answers end alike.
fn results(answer: &mut Answer<'_>, harmless: &[i16]) -> Option<Result<(), Refusals>> {
    let mut refused = Vec::new();
    for _ in 0..answer.count()? {
        let topic = answer.text()?;
        for _ in 0..answer.count()? {
            let (id, error, said) = (answer.i32()?, answer.i16()?, answer.text()?);
            answer.tags()?;
            if error != 0 && !harmless.contains(&error) {
                refused.push(Refusal::Partition {
                    partition: id,
                    topic: topic.clone(),
                    code: error,
                    said,
                });
            }
        }
        answer.tags()?;
    }
    Some(if refused.is_empty() {
        Ok(())
    } else {
        Err(Refusals(refused))
    })
}

fn whole(code: i16, said: &str) -> Refusals {
    let said = said.to_owned();
    Refusals(vec![Refusal::Whole { code, said }])
}

/// Waits until every partition is led by another broker and has all its copies in sync.
async fn settled(client: &Arc<BaseConsumer>, old: i32, count: usize) -> Result<(), SwitchoverError> {
    let begin = Instant::now();
    loop {
        let seen = view(client).await?.partitions;
        let done = |partition: &Partition| {
            partition.leader >= 0 && partition.leader != old && partition.in_sync.len() == partition.copies.len()
        };
        if seen.len() == count && seen.iter().all(done) {
            return Ok(());
        }
        if begin.elapsed() > SETTLED {
            let waiting = seen.iter().filter(|partition| !done(partition));
            let waiting: Vec<String> = waiting.map(|partition| format!("{partition:?}")).collect();
            return Err(SwitchoverError::Unsettled {
                within: SETTLED,
                waiting,
            });
        }
        sleep(LOOK_EVERY).await;
    }
}

async fn view(client: &Arc<BaseConsumer>) -> Result<View, SwitchoverError> {
    let client = Arc::clone(client);
    let seen = spawn_blocking(move || {
        client.fetch_metadata(None, LIMIT).map(|metadata| {
            let topics = metadata
                .topics()
                .iter()
                .filter(|topic| topic.name().starts_with(TOPICS));
            let partitions = topics.flat_map(|topic| {
                topic.partitions().iter().map(|partition| Partition {
                    topic: topic.name().to_owned(),
                    id: partition.id(),
                    leader: partition.leader(),
                    copies: partition.replicas().to_vec(),
                    in_sync: partition.isr().to_vec(),
                })
            });
            let address = |broker: &rdkafka::metadata::MetadataBroker| {
                HostPort::new(broker.host(), u16::try_from(broker.port()).unwrap_or_default())
            };
            View {
                brokers: metadata
                    .brokers()
                    .iter()
                    .map(|broker| (broker.id(), address(broker)))
                    .collect(),
                partitions: partitions.collect(),
            }
        })
    });
    let seen = seen.await.map_err(SwitchoverError::KafkaThread)?;
    seen.map_err(SwitchoverError::Unseen)
}

#[cfg(test)]
mod tests {
    use super::{Partition, Refusals, altered, elected, handed_over};

    fn partition(in_sync: &[i32]) -> Partition {
        Partition {
            topic: "nova.drill.1".to_owned(),
            id: 2,
            leader: 1,
            copies: vec![1, 2, 3],
            in_sync: in_sync.to_vec(),
        }
    }

    #[test]
    fn only_a_copy_in_sync_becomes_the_preferred_one_and_none_is_lost() {
        let copies = |in_sync: &[i32]| handed_over(&partition(in_sync), 1).map(|moved| moved.copies);
        assert_eq!(copies(&[1, 2, 3]).ok(), Some(vec![2, 1, 3]));
        assert_eq!(copies(&[1, 3]).ok(), Some(vec![3, 1, 2]));
        let refused = copies(&[1]).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(refused.contains("partition 2 of nova.drill.1"), "{refused}");
    }

    /// An answer with one topic of one partition: the header, no throttling, `before`, then the partition's result.
    fn answer(before: &[u8], error: i16) -> Vec<u8> {
        let error = error.to_be_bytes();
        let header = [0, 0, 0, 1, 0, 0, 0, 0, 0];
        let result = [2, 2, b't', 2, 0, 0, 0, 7, error[0], error[1], 0, 0, 0, 0];
        [header.as_slice(), before, &result].concat()
    }

    #[test]
    fn answers_say_what_came_of_each_partition() {
        let not_needed = [0, 0];
        assert_eq!(elected(&answer(&not_needed, 0)), Some(Ok(())));
        assert_eq!(elected(&answer(&not_needed, 84)), Some(Ok(())));
        let told =
            |answer: Option<Result<(), Refusals>>| answer.map(|said| said.map_err(|refused| refused.to_string()));
        let refused = "partition 7 of t: error code 80".to_owned();
        assert_eq!(told(elected(&answer(&not_needed, 80))), Some(Err(refused)));
        assert_eq!(altered(&answer(&[0, 0, 0], 0)), Some(Ok(())));
        let refused = "partition 7 of t: error code 84".to_owned();
        assert_eq!(told(altered(&answer(&[0, 0, 0], 84))), Some(Err(refused)));
        // Refused as a whole, with words.
        let whole = [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 41, 3, b'n', b'o'];
        assert_eq!(told(altered(&whole)), Some(Err("error code 41 (no)".to_owned())));
        assert_eq!(altered(&whole[..10]), None);
    }
}
