//! `docs/settings.md`: every setting with its default and what a change of it means.

use std::fmt::Write;

use serde_json::Value;

use super::class::{Class, class_of, resolved};
use super::place::Place;
use super::refusal::refusal;
use crate::key::Key;
use crate::load::defaults;
use crate::schema::json_schema;

const HEAD: &str = "\
# Settings

Made by `./nova schema --table > docs/settings.md` from the types that read `nova.toml`; a test compares. The last column says
what a change of the setting does to a platform that runs:

| class | means |
|---|---|
| live | applied without a restart |
| rolling | members restart one after another, the leader last (or first, where the store demands it) |
| staged | steps of the store's own kind, each proved before the next |
| refused | not done: `nova deploy` says why and the way there before it touches anything, and ends with 2; take that line back, and everything else can be deployed |

Some changes of a rolling or staged setting are refused as well: fewer Sentinels, smaller volumes, another number of etcd's
voters on Kubernetes. `nova diff` shows each changed setting with its class and its cost.
";

/// The whole page.
#[must_use]
pub fn settings_table() -> String {
    let schema = json_schema();
    let mut page = HEAD.to_owned();
    for (section, settings) in defaults() {
        let (key, name) = if section == "services" {
            (Key::service("auth-service"), "services.NAME".to_owned())
        } else {
            (Key::new(section), section.clone())
        };
        let shown = if section == "services" {
            &settings["auth-service"]
        } else {
            settings
        };
        let _ = write!(
            page,
            "\n## [{name}]\n| setting | default | meaning | a change |\n|---|---|---|---|\n"
        );
        rows(&mut page, &schema, &key, "", shown);
    }
    page
}

fn rows(page: &mut String, schema: &Value, at: &Key, prefix: &str, settings: &toml::Value) {
    for (setting, default) in settings.as_table().into_iter().flatten() {
        let key = at.child(setting);
        let name = format!("{prefix}{setting}");
        if let toml::Value::Table(table) = default
            && !table.is_empty()
        {
            rows(page, schema, &key, &format!("{name}."), default);
            continue;
        }
        let class = class_of(schema, &key);
        let told = class.map_or_else(|| "?".to_owned(), |class| class.to_string());
        // For a class of its own the place does not matter.
        let why = match class {
            Some(Class::Refused) => refusal(&key, Class::Refused, None, None, Place::Local)
                .map(|refusal| format!(": {}", refusal.reason))
                .unwrap_or_default(),
            _ => String::new(),
        };
        let _ = writeln!(
            page,
            "| `{name}` | `{default}` | {} | {told}{why} |",
            meaning(schema, &key)
        );
    }
}

/// What the schema says of a setting, on one line.
fn meaning(schema: &Value, key: &Key) -> String {
    let mut at = schema;
    for segment in key.segments() {
        let below = resolved(schema, at);
        let property = &below["properties"][segment];
        let is_whole = property.get("$ref").is_some() || property.get("type").is_some();
        at = if is_whole || below["additionalProperties"].is_boolean() {
            property
        } else {
            &below["additionalProperties"]
        };
    }
    let text = at["description"].as_str().unwrap_or_default();
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::settings_table;

    #[test]
    fn the_committed_table_is_the_generated_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/settings.md");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == settings_table(),
            "regenerate it with `./nova schema --table > docs/settings.md`"
        );
    }

    #[test]
    fn no_row_is_without_its_meaning_or_its_class() {
        let table = settings_table();
        for row in table.lines().filter(|line| line.starts_with("| `")) {
            assert!(!row.contains("|  |") && !row.contains("| ?"), "{row}");
        }
        assert!(table.contains("| `appendonly` |"));
    }
}
