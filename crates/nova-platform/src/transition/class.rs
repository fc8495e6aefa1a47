//! The classes, as `nova.schema.json` carries them.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::key::Key;

/// The schema's attribute with a setting's class.
pub const ATTRIBUTE: &str = "x-nova-change";

/// What a change of a setting means for a platform that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Applied without a restart.
    Live,
    /// Members restart one after another.
    Rolling,
    /// Steps of the store's own kind, each proved before the next.
    Staged,
    /// Not done; found before anything is touched.
    Refused,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Live => "live",
            Self::Rolling => "rolling",
            Self::Staged => "staged",
            Self::Refused => "refused",
        })
    }
}

/// The class of the setting at `key`, as the schema has it; `None` when it has none.
pub(super) fn class_of(schema: &Value, key: &Key) -> Option<Class> {
    let mut at = schema;
    let mut found = None;
    for segment in key.segments() {
        let below = resolved(schema, at);
        let property = below["properties"].get(segment);
        // What is said of a shipped service besides is its defaults.
        at = match property.filter(|property| property.get("$ref").is_some() || property.get("type").is_some()) {
            Some(property) => property,
            None => match below.get("additionalProperties").filter(|more| more.is_object()) {
                Some(more) => more,
                None => property?,
            },
        };
        // What holds for a table holds for what is in it, unless that says otherwise.
        if let Some(class) = at.get(ATTRIBUTE) {
            found = serde_json::from_value(class.clone()).ok();
        }
    }
    found
}

/// What a reference stands for.
pub(super) fn resolved<'a>(schema: &'a Value, at: &'a Value) -> &'a Value {
    let name = at["$ref"].as_str().and_then(|path| path.rsplit('/').next());
    name.map_or(at, |name| &schema["$defs"][name])
}
