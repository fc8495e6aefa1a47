//! The schema fits the shipped file, and the committed copy is the generated one.

#![allow(clippy::unwrap_used, reason = "a test that fails there has found what it looks for")]

use serde_json::{Value, json};

use super::json_schema;
use crate::load::defaults;

#[test]
fn the_committed_schema_is_the_generated_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../nova.schema.json");
    let committed: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(
        committed == json_schema(),
        "regenerate it with `./nova schema > nova.schema.json`"
    );
}

#[test]
fn nothing_is_required_of_a_user_but_of_a_new_service() {
    let schema = json_schema();
    assert!(schema.get("required").is_none());
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        assert!(definition.get("required").is_none(), "{name}");
    }
    let required = &schema["properties"]["services"]["additionalProperties"]["required"];
    assert_eq!(required, &json!(["members", "port"]));
}

#[test]
fn nothing_is_null_and_an_override_has_what_it_overrides() {
    let schema = json_schema();
    assert!(!schema.to_string().contains("\"null\""));
    let names = |definition: &str| {
        let properties = schema["$defs"][definition]["properties"].as_object().unwrap();
        properties.keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(names("CallsOverride"), names("CallsSpec"));
    let own = &schema["$defs"]["CallsOverride"];
    assert_eq!(own["additionalProperties"], json!(false));
    assert!(own["properties"]["timeout"].get("default").is_none());
}

#[test]
fn every_table_is_closed_and_every_setting_shows_its_default_and_its_meaning() {
    let schema = json_schema();
    assert_eq!(schema["additionalProperties"], json!(false));
    for (section, settings) in defaults() {
        let properties = if section == "services" {
            &schema["properties"]["services"]["properties"]["auth-service"]
        } else {
            &Value::Null
        };
        let name = schema["properties"][section]["$ref"]
            .as_str()
            .unwrap_or("/ServiceSpec")
            .rsplit('/')
            .next()
            .unwrap();
        let definition = &schema["$defs"][name];
        assert_eq!(definition["additionalProperties"], json!(false), "{section}");
        let settings = if section == "services" {
            &settings["auth-service"]
        } else {
            settings
        };
        for (setting, default) in settings.as_table().unwrap() {
            let shown = properties["properties"]
                .get(setting)
                .unwrap_or(&definition["properties"][setting]);
            assert_eq!(shown["default"], json!(default), "{section}.{setting}");
            assert!(
                definition["properties"][setting]["description"].is_string(),
                "{section}.{setting}"
            );
        }
    }
}
