//! Makes the topic of the checks: a partition for each broker to lead, copied and acknowledged as the description says.

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::error::RDKafkaErrorCode;
use tokio::task::spawn_blocking;

use super::CHECK_TOPIC;
use super::client::{Quiet, View, config};
use crate::bounded::Stage;
use crate::endpoints::MemberEndpoint;
use crate::spec::KafkaSpec;

/// Old records serve nothing: what a check wrote, it has read. A segment is the least that Kafka can drop.
const KEEP: [(&str, &str); 3] = [
    ("retention.ms", "600000"),
    ("segment.bytes", "1048576"),
    ("cleanup.policy", "delete"),
];

/// Makes the topic, once every broker is there: partitions never move by themselves to one that comes later.
pub(super) async fn create(
    spec: &KafkaSpec,
    members: &[MemberEndpoint],
    view: &View,
    stage: &Stage,
) -> Result<(), String> {
    let missing: Vec<_> = members
        .iter()
        .filter(|member| view.broker_at(&member.address).is_none())
        .map(|member| format!("{} ({})", member.member, member.address))
        .collect();
    if !missing.is_empty() {
        return Err(format!(
            "topic {CHECK_TOPIC} is made once every broker has registered; missing: {}",
            missing.join(", ")
        ));
    }
    let ids: Vec<i32> = members
        .iter()
        .filter_map(|member| view.broker_at(&member.address))
        .collect();
    let assignment = spread(&ids, usize::from(spec.replication_factor));
    let borrowed: Vec<&[i32]> = assignment.iter().map(Vec::as_slice).collect();
    let min_insync = spec.min_insync_replicas.to_string();
    let partitions = i32::try_from(assignment.len()).unwrap_or(i32::MAX);
    let mut topic = NewTopic::new(CHECK_TOPIC, partitions, TopicReplication::Variable(&borrowed))
        .set("min.insync.replicas", &min_insync);
    for (key, value) in KEEP {
        topic = topic.set(key, value);
    }
    let admin: AdminClient<Quiet> = config(members)
        .create_with_context(Quiet)
        .map_err(|error| format!("the Kafka admin client could not start: {error}"))?;
    let options = AdminOptions::new()
        .request_timeout(Some(stage.remaining()))
        .operation_timeout(Some(stage.remaining()));
    let created = admin.create_topics([&topic], &options).await;
    spawn_blocking(move || drop(admin));
    let results = created.map_err(|error| format!("topic {CHECK_TOPIC} could not be made: {error}"))?;
    match results.into_iter().next() {
        Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) | Some(Ok(_)) | None => Ok(()),
        Some(Err((_, code))) => Err(format!("topic {CHECK_TOPIC} could not be made: {code}")),
    }
}

/// A partition for each broker, which leads it; its copies on the brokers after it.
fn spread(brokers: &[i32], copies: usize) -> Vec<Vec<i32>> {
    let from = |first| {
        brokers
            .iter()
            .cycle()
            .skip(first)
            .take(copies.min(brokers.len()))
            .copied()
            .collect()
    };
    (0..brokers.len()).map(from).collect()
}

#[cfg(test)]
mod tests {
    use super::spread;

    #[test]
    fn every_broker_leads_a_partition_and_copies_are_on_different_brokers() {
        assert_eq!(spread(&[1, 2, 3], 3), [[1, 2, 3], [2, 3, 1], [3, 1, 2]]);
        assert_eq!(spread(&[4, 5, 6], 2), [[4, 5], [5, 6], [6, 4]]);
        assert_eq!(spread(&[1], 3), [[1]]);
        assert!(spread(&[], 3).is_empty());
    }
}
