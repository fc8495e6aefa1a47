//! Whether a value is as a schema of the description says.

use serde_json::Value;

/// The part of JSON Schema that the description uses.
pub(crate) fn conform(document: &Value, schema: &Value, value: &Value, place: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#')).unwrap();
        return conform(document, target, value, place);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let null = |choice: &Value| choice["type"] == "null";
        let chosen = choices.iter().find(|choice| null(choice) == value.is_null());
        return conform(document, chosen.unwrap(), value, place);
    }
    if let Some(parts) = schema["allOf"].as_array() {
        return conform(document, &merged(document, parts), value, place);
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => panic!("{place}: the schema says no type: {schema}"),
    };
    let actual = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    assert!(types.contains(&actual), "{place}: {value} is not {types:?}");
    if let Some(values) = schema["enum"].as_array() {
        assert!(values.contains(value), "{place}: {value} is none of {values:?}");
    }
    if let (Some(items), Value::Array(values)) = (schema.get("items"), value) {
        for value in values {
            conform(document, items, value, &format!("{place}[]"));
        }
    }
    if let (Some(properties), Value::Object(members)) = (schema["properties"].as_object(), value) {
        for (name, value) in members {
            let schema = properties
                .get(name)
                .unwrap_or_else(|| panic!("{place}.{name} is not described"));
            conform(document, schema, value, &format!("{place}.{name}"));
        }
        for name in schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            assert!(members.contains_key(name), "{place}.{name} is missing");
        }
    }
}

/// One object's schema in place of several that hold together.
fn merged(document: &Value, parts: &[Value]) -> Value {
    let (mut properties, mut required) = (serde_json::Map::new(), Vec::new());
    for part in parts {
        let part = match part["$ref"].as_str() {
            Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
            None => part,
        };
        properties.extend(part["properties"].as_object().unwrap().clone());
        required.extend(part["required"].as_array().into_iter().flatten().cloned());
    }
    serde_json::json!({ "type": "object", "properties": properties, "required": required })
}
