//! The JSON Schema of a user's `nova.toml`, for editors: nothing is required, every default is shown.

use schemars::schema_for;
use serde_json::{Map, Value, json};

use crate::load;
use crate::spec::Spec;

/// The schema. `nova.schema.json` in the repository holds the same.
#[must_use]
pub fn json_schema() -> Value {
    let mut schema = schema_for!(Spec).to_value();
    let defaults = json!(load::defaults());
    schema["$id"] = json!("nova.schema.json");
    schema["title"] = json!("nova.toml");

    let new_service = schema["$defs"]["ServiceSpec"]["required"].take();
    drop_required(&mut schema);
    // What may be left out would be allowed to be null as well, which TOML does not have.
    let calls = schema["$defs"]["CallsSpec"]["properties"].clone();
    schema["$defs"]["CallsOverride"]["properties"] = calls;
    for (section, settings) in objects(&defaults) {
        if section == "services" {
            schema["properties"]["services"] = services(settings, &new_service);
            continue;
        }
        let definition = schema["properties"][section]["$ref"]
            .as_str()
            .and_then(|path| path.rsplit('/').next());
        if let Some(definition) = definition.map(str::to_owned) {
            set_defaults(&mut schema["$defs"][definition]["properties"], settings);
        }
    }
    schema
}

/// The shipped services need nothing said about them; another one must say what has no default.
fn services(shipped: &Value, new_service: &Value) -> Value {
    let entry = |(name, settings): (&String, &Value)| {
        let mut properties = json!({});
        for (setting, default) in objects(settings) {
            properties[setting] = json!({ "default": default });
        }
        (
            name.clone(),
            json!({ "$ref": "#/$defs/ServiceSpec", "properties": properties }),
        )
    };
    let properties: Map<String, Value> = objects(shipped).map(entry).collect();
    json!({
        "description": "The services, by component name.",
        "x-nova-change": "rolling",
        "type": "object",
        "properties": properties,
        "additionalProperties": { "$ref": "#/$defs/ServiceSpec", "required": new_service },
    })
}

fn set_defaults(properties: &mut Value, defaults: &Value) {
    for (setting, default) in objects(defaults) {
        properties[setting]["default"] = default.clone();
    }
}

/// Everything has its default in the shipped file.
fn drop_required(schema: &mut Value) {
    if let Some(object) = schema.as_object_mut() {
        object.remove("required");
        object.values_mut().for_each(drop_required);
    }
}

fn objects(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

#[cfg(test)]
mod tests;
