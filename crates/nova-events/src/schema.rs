//! The JSON Schemas of all events, and what may change in one without a new version of its type.
//!
//! Events outlive the program that wrote them, and both sides are renewed one after the other. So a reader of the version before must
//! read what is written now, and a reader of now what was written before: what must be there stays the same, what is there keeps its
//! type, and what is added may be missing. Anything else is a new type (`.v2`), told beside the old one for as long as somebody reads
//! that.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::topics::{accounts, epochs, graph, posts, probe, profiles};

/// The JSON Schema of each type of event, by its name.
#[must_use]
pub fn schemas() -> Vec<(&'static str, Value)> {
    [
        accounts::AccountEvent::schemas(),
        profiles::ProfileEvent::schemas(),
        posts::PostEvent::schemas(),
        graph::GraphEvent::schemas(),
        epochs::EpochEvent::schemas(),
        probe::ProbeEvent::schemas(),
    ]
    .concat()
}

/// What is different in a way that breaks readers; empty when nothing is.
#[must_use]
pub fn breaks(before: &Value, now: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare("", before, now, &mut found);
    found
}

fn compare(place: &str, before: &Value, now: &Value, found: &mut Vec<String>) {
    let (had, have) = (required(before), required(now));
    found.extend(
        had.difference(&have)
            .map(|name| format!("{place}/{name} may be missing now: readers of before need it")),
    );
    found.extend(
        have.difference(&had)
            .map(|name| format!("{place}/{name} must be there now: events of before lack it")),
    );
    for (name, was) in properties(before) {
        let at = format!("{place}/{name}");
        let Some(is) = now["properties"].get(name) else {
            // One that had to be there is named above.
            continue;
        };
        for part in ["type", "format", "enum", "const", "$ref", "anyOf", "oneOf", "items"] {
            if was.get(part) != is.get(part) {
                found.push(format!(
                    "{at} has another {part}: {} was {}",
                    text(is, part),
                    text(was, part)
                ));
            }
        }
        compare(&at, was, is, found);
    }
    for (name, was) in was_defined(before) {
        match now["$defs"].get(name) {
            Some(is) => compare(&format!("{place}/{name}"), was, is, found),
            None => found.push(format!("{place}/{name} is defined no more")),
        }
    }
    if now["additionalProperties"] == Value::Bool(false) {
        found.push(format!(
            "{place} refuses fields that it does not know: readers must pass over them"
        ));
    }
}

fn required(schema: &Value) -> BTreeSet<&str> {
    let list = schema["required"].as_array();
    list.into_iter().flatten().filter_map(Value::as_str).collect()
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema["properties"].as_object().into_iter().flatten()
}

fn was_defined(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema["$defs"].as_object().into_iter().flatten()
}

fn text(schema: &Value, part: &str) -> String {
    schema.get(part).map_or_else(|| "none".to_owned(), Value::to_string)
}
