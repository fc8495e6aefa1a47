//! Which settings differ between what was deployed last and what is described now.

use serde::Serialize;
use serde_json::{Map, Value};

use super::class::{Class, class_of};
use super::place::Place;
use super::refusal::{Refusal, refusal};
use crate::key::Key;
use crate::schema::json_schema;
use crate::spec::Spec;

/// A setting that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// Its path, such as `redis.appendonly`.
    pub setting: String,
    /// What was deployed; `None` for an entry that is new.
    pub before: Option<Value>,
    /// What is described; `None` for an entry that is gone.
    pub after: Option<Value>,
    /// What the change means.
    pub class: Class,
    /// What it costs, in words.
    pub cost: String,
    /// Why it is not done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    #[serde(skip)]
    pub(super) key: Key,
}

/// Tables whose entries the user names: one may be new or gone.
const NAMED: [&str; 3] = ["services", "env", "calls"];
/// Of a service, what only a cluster asks for.
const OF_PODS: [&str; 5] = ["members_max", "cpu", "cpu_limit", "memory", "memory_limit"];

/// Every difference that counts at `place`, in the order of the description. A setting that one side does not know is no difference:
/// it belongs to another version.
#[must_use]
pub fn changes(before: &Value, after: &Spec, place: Place) -> Vec<Change> {
    let wanted = serde_json::to_value(after).unwrap_or_default();
    let mut pairs = Vec::new();
    compare(&Key::default(), before, &wanted, &mut pairs);
    let schema = json_schema();
    let change = |(key, before, after): (Key, Option<Value>, Option<Value>)| {
        let class = class_of(&schema, &key).unwrap_or(Class::Rolling);
        let refusal = refusal(&key, class, before.as_ref(), after.as_ref(), place);
        let class = if refusal.is_some() { Class::Refused } else { class };
        Change {
            setting: key.to_string(),
            cost: cost(&key, class, &wanted),
            before,
            after,
            class,
            refusal,
            key,
        }
    };
    pairs
        .into_iter()
        .filter(|(key, ..)| counts(key, place))
        .map(change)
        .collect()
}

fn counts(key: &Key, place: Place) -> bool {
    let segments: Vec<&str> = key.segments().iter().map(String::as_str).collect();
    match (segments.as_slice(), place) {
        (["local", ..], place) => place == Place::Local,
        (["kubernetes", ..], place) => place == Place::Kubernetes,
        (["services", _, setting], Place::Local) => !OF_PODS.contains(setting),
        _ => true,
    }
}

fn compare(at: &Key, before: &Value, after: &Value, pairs: &mut Vec<(Key, Option<Value>, Option<Value>)>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => tables(at, before, after, pairs),
        _ if before == after => {}
        _ => pairs.push((at.clone(), Some(before.clone()), Some(after.clone()))),
    }
}

fn tables(
    at: &Key,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    pairs: &mut Vec<(Key, Option<Value>, Option<Value>)>,
) {
    let last = at.segments().last().map_or("", String::as_str);
    // `services.<name>.calls.<other>` holds only what differs from `[calls]`.
    let is_named = NAMED.contains(&last) && at.segments() != ["calls"] || at.segments().len() == 4;
    for (name, value) in after {
        match before.get(name) {
            Some(other) => compare(&at.child(name), other, value, pairs),
            None if is_named => pairs.push((at.child(name), None, Some(value.clone()))),
            None => {}
        }
    }
    let gone = before.iter().filter(|(name, _)| is_named && !after.contains_key(*name));
    pairs.extend(gone.map(|(name, value)| (at.child(name), Some(value.clone()), None)));
}

/// What a change costs: which members restart, and whether a leader changes.
fn cost(key: &Key, class: Class, wanted: &Value) -> String {
    let segments: Vec<&str> = key.segments().iter().map(String::as_str).collect();
    let members = |section: &str| wanted[section]["members"].as_u64().unwrap_or(1);
    let of_services = || {
        let services = wanted["services"].as_object();
        let members = services
            .into_iter()
            .flatten()
            .map(|(_, service)| service["members"].as_u64());
        members.flatten().sum::<u64>()
    };
    let restarts =
        |count: u64, of: &str, leader: &str| format!("{count} members of {of} restart one after another{leader}");
    match (class, segments.as_slice()) {
        (Class::Refused, _) => "nothing is done".to_owned(),
        (Class::Live, _) => "nothing restarts".to_owned(),
        (Class::Staged, ["redis", "appendonly"]) => format!(
            "each server writes all its data once; then {}",
            restarts(members("redis"), "redis", ", one change of master")
        ),
        (Class::Staged, ["kubernetes", "volumes", store]) => {
            format!("the volumes of {store} grow; its pods go on, where the storage class can do that")
        }
        (Class::Staged, ["etcd", "members"]) => "members join or leave one by one, each copies all data".to_owned(),
        (_, ["postgres", "members"]) => "a new member copies all data; one that leaves hands over".to_owned(),
        (_, [_, "members"] | ["services", _, "members"]) => "members start or end, the others go on".to_owned(),
        (_, ["postgres", "max_connections" | "shared_buffers"]) => format!(
            "{} servers of postgres restart one after another; writes wait while the leader does",
            members("postgres")
        ),
        (_, [store @ ("etcd" | "postgres" | "redis" | "kafka"), ..]) => {
            restarts(members(store), store, ", one change of leader")
        }
        (_, ["gateway", ..] | ["local", "gateway_address"]) => {
            "the gateway restarts: new connections wait for a moment".to_owned()
        }
        (_, ["services", service]) => format!("members of {service} start or end"),
        (_, ["services", service, ..]) => {
            let count = wanted["services"][service]["members"].as_u64().unwrap_or(1);
            restarts(count, service, "")
        }
        (_, ["calls", ..]) => restarts(of_services(), "the services", ""),
        _ => "members restart one after another".to_owned(),
    }
}

#[cfg(test)]
mod tests;
