//! Lays the user's table over the defaults. Unknown keys, wrong types and missing keys are found here, each where it stands.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;
use toml::de::{DeTable, DeValue, ValueDeserializer};
use toml::{Spanned, Table, Value};

use super::error::Found;
use crate::key::Key;
use crate::suggestion::closest;
use crate::validate::Problem;

/// What a service that is not shipped must say itself.
const REQUIRED: [&str; 2] = ["members", "port"];
/// What it has only when it says so.
const OWN: [&str; 2] = ["database", "schema"];

/// The defaults with the user's values in them.
#[derive(Debug)]
pub(super) struct Merged {
    pub(super) table: Table,
    pub(super) found: Vec<Found>,
    spans: BTreeMap<Key, Range<usize>>,
    stand_ins: Vec<Key>,
}

pub(super) fn merge(user: &DeTable<'_>, defaults: &Table) -> Merged {
    let mut merged = Merged {
        table: Table::new(),
        found: Vec::new(),
        spans: BTreeMap::new(),
        stand_ins: Vec::new(),
    };
    merged.table = merged.lay_over(&Key::default(), user, defaults, defaults);
    merged
}

impl Merged {
    /// Where the user's file sets this.
    pub(super) fn span(&self, key: &Key) -> Option<Range<usize>> {
        self.spans.get(key).cloned()
    }

    /// Its value, the user's or the default.
    pub(super) fn value(&self, key: &Key) -> Option<&Value> {
        let (first, rest) = key.segments().split_first()?;
        rest.iter()
            .try_fold(self.table.get(first)?, |value, segment| value.get(segment))
    }

    /// Whether something else stands where the user's value was refused.
    pub(super) fn is_stand_in(&self, key: &Key) -> bool {
        self.stand_ins
            .iter()
            .any(|stand_in| key.is_within(stand_in) || stand_in.is_within(key))
    }

    /// Something that settings, together or alone, make impossible. Defaults among them have no line, so they are named.
    pub(super) fn problem(&self, problem: &Problem) -> Found {
        let mut labels = Vec::new();
        let mut defaults = Vec::new();
        let several = problem.keys.iter().filter(|key| self.span(key).is_some()).count() > 1;
        for key in &problem.keys {
            if let Some(span) = self.span(key) {
                labels.push((span, several.then(|| key.to_string())));
            } else if let Some(value) = self.value(key) {
                defaults.push(format!("{key} has its default, {value}"));
            }
        }
        let help: Vec<String> = problem.help.iter().cloned().chain(defaults).collect();
        Found::at(None, problem.message.clone())
            .with_help((!help.is_empty()).then(|| help.join("\n")))
            .with_labels(labels)
    }

    /// Notes that a value was refused, and that a default stands in for it from now on.
    pub(super) fn refuse(&mut self, key: &Key, found: Found) {
        self.found.push(found);
        self.stand_ins.push(key.clone());
    }

    fn lay_over(&mut self, at: &Key, user: &DeTable<'_>, under: &Table, defaults: &Table) -> Table {
        let mut table = under.clone();
        for (name, value) in user {
            let key = at.child(name.get_ref());
            // A table is met at its name, a value at itself: that is what would be changed.
            let is_table = matches!(value.get_ref(), DeValue::Table(_));
            let span = if is_table { name.span() } else { value.span() };
            self.spans.insert(key.clone(), span);
            let laid = match (under.get(name.get_ref().as_ref()), at.segments()) {
                (Some(default), _) => self.value_over(&key, value, default, defaults),
                (None, [services]) if services == "services" => self.new_service(&key, value, defaults),
                (None, [services, _, env]) if services == "services" && env == "env" => {
                    self.value_over(&key, value, &Value::String(String::new()), defaults)
                }
                (None, [services, _, calls]) if services == "services" && calls == "calls" => {
                    self.overrides(&key, value, defaults)
                }
                (None, _) => {
                    self.unknown(&key, name.span(), under, defaults);
                    continue;
                }
            };
            table.insert(name.get_ref().clone().into_owned(), laid);
        }
        table
    }

    fn value_over(&mut self, key: &Key, user: &Spanned<DeValue<'_>>, default: &Value, defaults: &Table) -> Value {
        if let (DeValue::Table(user), Value::Table(under)) = (user.get_ref(), default) {
            return Value::Table(self.lay_over(key, user, under, defaults));
        }
        let (wanted, got) = (default.type_str(), user.get_ref().type_str());
        if let (Value::Float(_), Some(whole)) = (default, whole_number(user.get_ref())) {
            return Value::Float(whole.into());
        }
        let misfit = if wanted == got {
            match Value::deserialize(ValueDeserializer::from(user.clone())) {
                Ok(value) => match stranger(&value) {
                    None => return value,
                    Some(stranger) => format!(
                        "{key} must be an array of strings, and holds {}",
                        with_article(stranger)
                    ),
                },
                Err(_) if user.get_ref().is_integer() => format!("{key} is too large a number"),
                Err(error) => format!("{key} is wrong: {}", error.message()),
            }
        } else {
            let example = match default {
                Value::Table(_) | Value::Array(_) => String::new(),
                Value::String(text) if text.is_empty() => " in quotes".to_owned(),
                _ => format!(" such as {default}"),
            };
            format!(
                "{key} must be {}{example}, and is {}",
                with_article(wanted),
                with_article(got)
            )
        };
        self.refuse(key, Found::at(Some(user.span()), misfit));
        default.clone()
    }

    /// What a service sets otherwise for one dependency: checked like `[calls]`, and nothing is filled in.
    fn overrides(&mut self, key: &Key, user: &Spanned<DeValue<'_>>, defaults: &Table) -> Value {
        let calls = defaults.get("calls").and_then(Value::as_table);
        let DeValue::Table(table) = user.get_ref() else {
            let message = format!(
                "{key} must be a table named after the service that is called, and is {}",
                with_article(user.get_ref().type_str())
            );
            let name = key.segments().last().map_or("", String::as_str);
            let help = calls.is_some_and(|calls| calls.contains_key(name)).then(|| {
                format!(
                    "for one dependency, put it into `[{}]`; for every call, `calls.{name}`",
                    key_beside(key, "DEPENDENCY")
                )
            });
            self.refuse(key, Found::at(Some(user.span()), message).with_help(help));
            return Value::Table(Table::new());
        };
        let mut laid = self.lay_over(key, table, calls.unwrap_or(&Table::new()), defaults);
        laid.retain(|name, _| table.contains_key::<str>(name));
        Value::Table(laid)
    }

    /// A service that is not shipped takes from one that is what every service has.
    fn new_service(&mut self, key: &Key, user: &Spanned<DeValue<'_>>, defaults: &Table) -> Value {
        let shipped = defaults
            .get("services")
            .and_then(Value::as_table)
            .cloned()
            .unwrap_or_default();
        let mut template = shipped.values().find_map(Value::as_table).cloned().unwrap_or_default();
        for list in ["uses", "needs"] {
            template.insert(list.to_owned(), Value::Array(Vec::new()));
        }
        for table in ["env", "calls"] {
            template.insert(table.to_owned(), Value::Table(Table::new()));
        }
        if let DeValue::Table(table) = user.get_ref() {
            let missing: Vec<&str> = REQUIRED.into_iter().filter(|name| !table.contains_key(*name)).collect();
            if !missing.is_empty() {
                let name = key.segments().last().map_or("", String::as_str);
                let help = match closest(name, shipped.keys().map(String::as_str)) {
                    Some(near) => format!("did you mean `{}`?", key_beside(key, near)),
                    None => format!("a new service sets {}", REQUIRED.join(", ")),
                };
                let message = format!("{key} is a new service and lacks {}", missing.join(", "));
                self.found
                    .push(Found::at(self.span(key), message).with_help(Some(help)));
                self.stand_ins.extend(missing.iter().map(|name| key.child(name)));
            }
        }
        let mut laid = self.value_over(key, user, &Value::Table(template), defaults);
        if let (Value::Table(laid), DeValue::Table(user)) = (&mut laid, user.get_ref()) {
            laid.retain(|name, _| !OWN.contains(&name) || user.contains_key(name));
        }
        laid
    }

    fn unknown(&mut self, key: &Key, span: Range<usize>, siblings: &Table, defaults: &Table) {
        let name = key.segments().last().map_or("", String::as_str);
        let near = closest(name, siblings.keys().map(String::as_str)).map(|near| key_beside(key, near));
        let elsewhere = || {
            let mut sections = defaults.iter().filter(|(_, section)| section.get(name).is_some());
            sections.next().map(|(section, _)| Key::new(section).child(name))
        };
        let help = match near.clone().or_else(elsewhere) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!(
                "there are {}",
                siblings.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
            ),
        };
        self.found
            .push(Found::at(Some(span), format!("unknown key `{key}`")).with_help(Some(help)));
        // What was meant has only its default now, and proves nothing about the rest.
        self.stand_ins.extend(near);
    }
}

/// The key of this name in the same table.
fn key_beside(key: &Key, name: &str) -> Key {
    let segments = key.segments();
    let table = &segments[..segments.len().saturating_sub(1)];
    table.iter().cloned().chain([name.to_owned()]).collect()
}

/// The type of the first element that is not a string; every array in a description is of strings.
fn stranger(value: &Value) -> Option<&'static str> {
    value
        .as_array()?
        .iter()
        .find(|element| !element.is_str())
        .map(Value::type_str)
}

/// A number without a fraction; a share may be written so.
fn whole_number(value: &DeValue<'_>) -> Option<i32> {
    let number = value.as_integer()?;
    i32::from_str_radix(number.as_str(), number.radix()).ok()
}

fn with_article(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {kind}")
}
