//! The topics of events: made as `nova-events` declares them, and altered where they differ. Copies and how many of them acknowledge
//! follow `[kafka]`. Partitions become more and never fewer; topics that nobody declares are left alone.

mod client;
mod compare;

use std::time::Duration;

use nova_events::{Keep, TOPICS, Topic};

use crate::components::Kind;
use crate::endpoints::Endpoints;
use crate::events;
use crate::spec::{KafkaSpec, Spec};
use client::Topics;
use compare::Difference;

/// How long consumers' dead letters are kept.
const DEAD_LETTERS: Keep = Keep::days(30);
/// A segment of a state topic: only those that are full are compacted.
const SEGMENT: u32 = 8 * 1024 * 1024;

/// A topic as it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    name: String,
    partitions: i32,
    copies: i32,
    settings: Vec<(&'static str, String)>,
}

/// Makes and alters the topics, and says what it changed.
///
/// # Errors
/// When Kafka does not answer, or refuses; as long as a broker is missing, for one. Safe to repeat.
pub(crate) async fn ensure(spec: &Spec, endpoints: &Endpoints, limit: Duration) -> Result<Vec<String>, String> {
    let wanted = wanted(spec);
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let topics = Topics::new(&endpoints.of(Kind::Kafka), limit)?;
    let mut changes = Vec::new();
    for difference in topics.differences(&wanted).await? {
        topics.apply(&difference).await?;
        changes.push(difference.done());
    }
    Ok(changes)
}

/// Where the topics differ from what is declared.
///
/// # Errors
/// As a list, when they do; or when Kafka does not answer.
pub(crate) async fn verify(spec: &Spec, endpoints: &Endpoints, limit: Duration) -> Result<(), String> {
    let wanted = wanted(spec);
    if wanted.is_empty() {
        return Ok(());
    }
    let found = Topics::new(&endpoints.of(Kind::Kafka), limit)?
        .differences(&wanted)
        .await?;
    if found.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = found.iter().map(Difference::complaint).collect();
    Err(format!("{}; a deploy puts that right", list.join("; ")))
}

/// All topics of a platform that publishes events.
fn wanted(spec: &Spec) -> Vec<Wanted> {
    if events::publisher(spec).is_none() {
        return Vec::new();
    }
    let declared = TOPICS
        .iter()
        .map(|topic| of(topic.name.to_owned(), topic, topic.keep, &spec.kafka));
    let dead = TOPICS
        .iter()
        .filter(|topic| !topic.name.starts_with("nova.cdc."))
        .map(|topic| of(topic.dead_letters(), topic, DEAD_LETTERS, &spec.kafka));
    declared.chain(dead).collect()
}

fn of(name: String, topic: &Topic, keep: Keep, kafka: &KafkaSpec) -> Wanted {
    let mut settings = vec![("min.insync.replicas", kafka.min_insync_replicas.to_string())];
    settings.extend(match keep {
        Keep::LastOfEachKey => [
            ("cleanup.policy", "compact".to_owned()),
            ("segment.bytes", SEGMENT.to_string()),
        ],
        Keep::For(time) => [
            ("cleanup.policy", "delete".to_owned()),
            ("retention.ms", time.as_millis().to_string()),
        ],
    });
    Wanted {
        name,
        partitions: i32::from(topic.partitions),
        copies: i32::from(kafka.replication_factor),
        settings,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::wanted;
    use crate::load::{load, parse};

    #[test]
    fn every_topic_is_as_the_platform_copies_it() {
        let mut spec = parse(crate::uses::CHANGES, "nova.toml").unwrap().spec;
        spec.kafka.min_insync_replicas = 1;
        let all = wanted(&spec);
        assert!(all.iter().any(|topic| topic.name == "nova.accounts.dlq"));
        for topic in all {
            assert_eq!(topic.copies, i32::from(spec.kafka.replication_factor));
            assert!(
                topic.settings.contains(&("min.insync.replicas", "1".to_owned())),
                "{topic:?}"
            );
        }
    }

    #[test]
    fn a_platform_without_a_publisher_has_none() {
        let mut spec = load(None).unwrap().spec;
        spec.services.retain(|_, service| !service.replication);
        assert!(wanted(&spec).is_empty());
    }
}
