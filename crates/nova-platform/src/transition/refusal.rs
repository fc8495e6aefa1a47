//! Changes that are not done, why not, and the way there: those that would lose or split data and have no steps of their own yet.

use serde::Serialize;
use serde_json::Value;

use super::class::Class;
use super::place::Place;
use crate::key::Key;
use crate::units::Size;

/// Why a change is not done, and what leads to it all the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// Why not.
    pub reason: String,
    /// What to do instead.
    pub way: String,
}

/// The way where there is no shorter one.
const ANOTHER: &str = "deploy another platform (another [platform] name) with it, move the data there, then remove this one; or, where \
                       the data are not needed, ./nova cleanup --data first";

/// Why this change is refused at this place; `None` when it is not.
pub(super) fn refusal(
    key: &Key,
    class: Class,
    before: Option<&Value>,
    after: Option<&Value>,
    place: Place,
) -> Option<Refusal> {
    let segments: Vec<&str> = key.segments().iter().map(String::as_str).collect();
    let number = |value: Option<&Value>| value.and_then(Value::as_u64);
    let shrinks = match segments.as_slice() {
        ["kubernetes", "volumes", _] => {
            let size = |value: Option<&Value>| serde_json::from_value::<Size>(value?.clone()).ok();
            size(after)
                .zip(size(before))
                .is_some_and(|(after, before)| after < before)
        }
        _ => number(after)
            .zip(number(before))
            .is_some_and(|(after, before)| after < before),
    };
    let reason = match segments.as_slice() {
        ["kubernetes", "volumes", _] if shrinks => "no volume can become smaller",
        ["redis", "sentinels"] if shrinks => {
            "the Sentinels that stay would go on counting those that are gone, and find no majority"
        }
        ["etcd", "members"] if place == Place::Kubernetes => {
            "a voter joins or leaves etcd by a vote of the others, which is done on one machine only so far; new pods alone \
             would be a second cluster beside the first"
        }
        _ if class == Class::Refused => said_of(&segments),
        _ => return None,
    };
    let way = match segments.as_slice() {
        ["kubernetes", "volumes", _] => "leave the size, or move the data to another platform",
        ["redis", "sentinels"] => "leave the number; Sentinels that are not needed cost little",
        ["services", ..] => {
            "deploy the service under another name with it, copy the data (pg_dump --schema), then take the old entry away"
        }
        ["kafka", "replication_factor" | "min_insync_replicas"] => {
            "change the topics with Kafka's own tools (kafka-reassign-partitions.sh, kafka-configs.sh) and leave this line; or \
             deploy another platform with it"
        }
        _ => ANOTHER,
    };
    Some(Refusal {
        reason: reason.to_owned(),
        way: way.to_owned(),
    })
}

fn said_of(segments: &[&str]) -> &'static str {
    match segments {
        ["platform", "name"] => "another name is another platform; this one stays as it is",
        ["local", "network"] => {
            "etcd, Kafka and the Sentinels keep the addresses of their peers with their data, and would look for them in the old network"
        }
        ["local", "user"] => "everything that was written belongs to the user that it was deployed with",
        ["kubernetes", "cluster_domain"] => "the stores keep the names of their peers with their data",
        ["kubernetes", "storage_class"] => "a volume stays in the class that it was made in",
        ["etcd", "peer_port"] => "the voters keep the addresses of their peers with their data",
        ["redis", "port" | "sentinel_port"] => {
            "the Sentinels keep the addresses of the servers and of each other, and would look for them at the old ports"
        }
        ["kafka", "members"] => {
            "the controllers keep the list of their voters with their data; a broker that was formatted with another list would \
             be part of another cluster"
        }
        ["kafka", "controller_port"] => "the controllers keep the addresses of their voters with their data",
        ["kafka", "replication_factor"] => {
            "topics keep the number of copies that they were made with, and nothing moves them yet"
        }
        ["kafka", "min_insync_replicas"] => {
            "the cluster keeps the value that it was formed with, and nothing changes it yet"
        }
        ["services", _, "database" | "schema"] => {
            "the service's data stay in the old place, and it would begin with nothing in the new one"
        }
        _ => "there are no steps for it yet",
    }
}
