//! Watches Kafka for a consumer: whether it answers, whether the topics are there, how far each partition is behind.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::Consumer;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::health::Partition;
use super::kafka::Member;

const CALM: Duration = Duration::from_secs(5);
const IN_DOUBT: Duration = Duration::from_millis(500);
const ASK: Duration = Duration::from_secs(2);

/// Watches until `stop`.
pub(super) async fn watch(shared: Arc<Shared>, member: Member, stop: CancellationToken) {
    let watching = async {
        loop {
            let trouble = look(&shared, &member).await.err();
            let pause = if trouble.is_some() { IN_DOUBT } else { CALM };
            shared.health.trouble(trouble);
            sleep(pause).await;
        }
    };
    stop.run_until_cancelled(watching).await;
}

async fn look(shared: &Arc<Shared>, member: &Member) -> Result<(), String> {
    let (member, topics, owned) = (member.clone(), shared.settings.topics.clone(), shared.health.owned());
    let ends = spawn_blocking(move || ask(&member, &topics, owned))
        .await
        .map_err(|error| error.to_string())??;
    for (partition, end) in ends {
        shared.health.behind(&partition, end);
    }
    Ok(())
}

fn ask(member: &Member, topics: &[&'static str], owned: Vec<Partition>) -> Result<Vec<(Partition, i64)>, String> {
    // Of all topics: asking for one that is missing would have a lenient broker make it, its own way.
    let metadata = member
        .fetch_metadata(None, ASK)
        .map_err(|error| format!("no broker of Kafka answers: {error}"))?;
    for topic in topics {
        if !metadata.topics().iter().any(|there| there.name() == *topic) {
            return Err(format!("Kafka has no topic {topic}: `nova deploy` makes it"));
        }
    }
    let end = |(topic, partition): &Partition| -> Result<i64, String> {
        let (_, end) = member
            .fetch_watermarks(topic, *partition, ASK)
            .map_err(|error| format!("partition {partition} of {topic} does not say where it ends: {error}"))?;
        Ok(end)
    };
    owned
        .into_iter()
        .map(|partition| Ok((partition.clone(), end(&partition)?)))
        .collect()
}
