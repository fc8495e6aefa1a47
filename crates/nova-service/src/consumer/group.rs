//! The member of the group: is given partitions and has a task for each, until they are taken away or the service ends.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::health::Partition;
use super::kafka::{self, Change, Member};
use super::partition::Reader;
use super::steps::Point;
use super::{Place, Shared, watch};
use crate::backoff::Backoff;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);
/// What is in flight may take so long to end with the service; what does not is undone by PostgreSQL, and comes again.
const DRAIN: Duration = Duration::from_millis(600);
/// How long leaving the group may take: the others wait for its session otherwise.
const LEAVE: Duration = Duration::from_millis(300);

/// A partition's task.
struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// Prepares the sink and is a member of the group until `stop`; a member that cannot go on is replaced.
pub(super) async fn run(shared: Arc<Shared>, stop: CancellationToken) {
    let mut backoff = Backoff::new(FIRST, LONGEST);
    let preparing = async {
        while let Err(error) = shared.sink.prepare().await {
            shared.health.trouble(Some(format!("{error:#}")));
            sleep(backoff.next_pause()).await;
        }
    };
    if stop.run_until_cancelled(preparing).await.is_none() {
        return;
    }
    backoff.reset();
    loop {
        let Err(error) = member(&shared, &stop).await else {
            return;
        };
        tracing::warn!(consumer = shared.consumer, %error, "the member of the group cannot go on; another one takes its place");
        shared.health.trouble(Some(error.to_string()));
        if stop.run_until_cancelled(sleep(backoff.next_pause())).await.is_none() {
            return;
        }
    }
}

/// One member's life.
async fn member(shared: &Arc<Shared>, stop: &CancellationToken) -> Result<(), KafkaError> {
    let (sender, mut changes) = mpsc::unbounded_channel();
    let settings = &shared.settings;
    let member = kafka::member(&settings.kafka, shared.consumer, settings.session, sender)?;
    member.subscribe(&settings.topics)?;
    let ended = stop.child_token();
    let watching = tokio::spawn(watch::watch(shared.clone(), member.clone(), ended.clone()));
    let mut tasks: BTreeMap<Partition, Running> = BTreeMap::new();
    let result = loop {
        tokio::select! {
            () = stop.cancelled() => break Ok(()),
            Some(change) = changes.recv() => follow(shared, &member, &mut tasks, change).await,
            received = member.recv() => match received {
                // From before the partition had a queue of its own; its task reads it again.
                Ok(_) => {}
                Err(error @ KafkaError::MessageConsumptionFatal(_)) => break Err(error),
                Err(error) => tracing::debug!(consumer = shared.consumer, %error, "the group reports"),
            },
        }
    };
    ended.cancel();
    let running: Vec<_> = tasks.into_values().collect();
    for partition in &running {
        partition.stop.cancel();
    }
    let mut handles: Vec<_> = running.into_iter().map(|partition| partition.task).collect();
    handles.push(watching);
    if timeout(DRAIN, join_all(&mut handles)).await.is_err() {
        for handle in &handles {
            handle.abort();
        }
        join_all(&mut handles).await;
    }
    // Leaves the group, which takes its time.
    let leaving = spawn_blocking(move || drop(member));
    let _ = timeout(LEAVE, leaving).await;
    result
}

async fn follow(shared: &Arc<Shared>, member: &Member, tasks: &mut BTreeMap<Partition, Running>, change: Change) {
    match change {
        Change::Assigned(partitions) => {
            for partition in partitions {
                let before = tasks.remove(&partition).map(|running| {
                    running.stop.cancel();
                    running.task
                });
                let stop = CancellationToken::new();
                let reader = Reader {
                    shared: shared.clone(),
                    member: member.clone(),
                    place: Place {
                        consumer: shared.consumer,
                        topic: partition.0.clone(),
                        partition: partition.1,
                    },
                    partition: partition.clone(),
                    stop: stop.clone(),
                };
                let task = tokio::spawn(reader.run(before));
                tasks.insert(partition, Running { stop, task });
            }
        }
        // Whoever has it next waits for a transaction that is under way, and sees what it did.
        Change::Revoked(partitions) => {
            shared.steps.reach(Point::Revoked).await;
            for partition in partitions {
                if let Some(running) = tasks.get(&partition) {
                    running.stop.cancel();
                }
            }
        }
    }
}
