//! From the merged table to the typed description, going on after a wrong value so that all of them are told.

use serde_path_to_error::Segment;
use toml::{Table, Value};

use super::error::Found;
use super::merge::Merged;
use crate::key::Key;
use crate::spec::Spec;
use crate::suggestion::closest;

/// Each round refuses one value, so a description with more wrong values than this is told about the first ones.
const ROUNDS: usize = 100;

/// The description; `None` when something is wrong that no default can stand in for.
pub(super) fn deserialize(merged: &mut Merged, defaults: &Table) -> Option<Spec> {
    for _ in 0..ROUNDS {
        let error = match serde_path_to_error::deserialize::<_, Spec>(Value::Table(merged.table.clone())) {
            Ok(spec) => return Some(spec),
            Err(error) => error,
        };
        let key = path(error.path(), merged);
        let (message, help) = explained(&key, error.inner().message());
        let found = Found::at(merged.span(&key), message).with_help(help);
        let is_new = !merged.is_stand_in(&key);
        merged.refuse(&key, found);
        if !is_new || !reset(&mut merged.table, &key, defaults) {
            return None;
        }
    }
    None
}

/// The longest part of the path that names a setting; an enum's variant or an array's index does not.
fn path(path: &serde_path_to_error::Path, merged: &Merged) -> Key {
    let mut key = Key::default();
    for segment in path {
        let Segment::Map { key: name } = segment else { break };
        let next = key.child(name);
        if merged.value(&next).is_none() {
            break;
        }
        key = next;
    }
    key
}

/// Puts the default in the place of a wrong value; for a service that is not shipped, any shipped one's.
fn reset(table: &mut Table, key: &Key, defaults: &Table) -> bool {
    let default = match key.segments() {
        [services, name, setting] if services == "services" => {
            let shipped = defaults.get("services").and_then(Value::as_table);
            let any = |shipped: &Table| shipped.get(name).or_else(|| shipped.values().next()).cloned();
            shipped.and_then(any).and_then(|service| service.get(setting).cloned())
        }
        [services, _, calls, _, setting] if services == "services" && calls == "calls" => {
            defaults.get(calls).and_then(|calls| calls.get(setting)).cloned()
        }
        [section, setting] => defaults.get(section).and_then(|section| section.get(setting)).cloned(),
        _ => None,
    };
    let Some(default) = default else { return false };
    let Some((last, parents)) = key.segments().split_last() else {
        return false;
    };
    let mut at = table;
    for parent in parents {
        let Some(next) = at.get_mut(parent).and_then(Value::as_table_mut) else {
            return false;
        };
        at = next;
    }
    at.insert(last.clone(), default);
    true
}

/// serde's words, as a person would say them.
fn explained(key: &Key, message: &str) -> (String, Option<String>) {
    if let Some(rest) = message.strip_prefix("unknown variant ") {
        let mut quoted = rest.split('`').skip(1).step_by(2);
        let wrong = quoted.next().unwrap_or_default();
        let known: Vec<&str> = quoted.collect();
        let help = closest(wrong, known.iter().copied()).map(|near| format!("did you mean {near:?}?"));
        let known: Vec<String> = known.iter().map(|known| format!("{known:?}")).collect();
        return (
            format!("{key} is {wrong:?}: it must be one of {}", known.join(", ")),
            help,
        );
    }
    let integers = [("u16", "65535"), ("u32", "4294967295")];
    if let Some(rest) = message.strip_prefix("invalid value: integer `")
        && let Some((number, wanted)) = rest.split_once('`')
        && let Some((_, most)) = integers.iter().find(|(name, _)| wanted.ends_with(name))
    {
        return (
            format!("{key} is {number}: it must be a whole number from 0 to {most}"),
            None,
        );
    }
    (format!("{key} is wrong: {message}"), None)
}
