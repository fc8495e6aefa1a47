//! Whether what a command printed is what its committed JSON Schema says: nothing that is required is missing, nothing has another
//! type, and, more strictly than for readers, nothing is there that the schema does not know.

use serde_json::Value;

const NOT_THE_VALUE: &str = "is none of the values";

/// What a report has that its schema does not allow, by its place in the report; empty when it is as promised.
pub(crate) fn mismatches(schema: &Value, report: &Value) -> Vec<String> {
    let mut found = Vec::new();
    Checked { root: schema }.value(schema, report, "report", &mut found);
    found
}

/// Panics unless a report is as its committed schema says.
#[track_caller]
pub(crate) fn is_as_its_schema_says(committed: &str, report: &Value) {
    let schema = serde_json::from_str(committed).unwrap();
    let found = mismatches(&schema, report);
    assert!(found.is_empty(), "{}\n{report:#}", found.join("\n"));
}

struct Checked<'a> {
    root: &'a Value,
}

impl Checked<'_> {
    fn value(&self, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
        let schema = self.resolved(schema);
        if let Some(any) = alternatives(schema) {
            self.any(schema, any, value, at, found);
            return;
        }
        if !has_type(schema, value) {
            found.push(format!("{at}: {value} is not {}", schema["type"]));
            return;
        }
        let constant = schema.get("const").is_some_and(|only| only != value);
        let listed = schema["enum"].as_array().is_some_and(|all| !all.contains(value));
        if constant || listed {
            found.push(format!("{at}: {value} {NOT_THE_VALUE}"));
        }
        if let Some(items) = value.as_array() {
            for (index, item) in items.iter().enumerate() {
                self.value(&schema["items"], item, &format!("{at}[{index}]"), found);
            }
        }
        self.members(&[schema], value, at, found);
    }

    /// One of several; where the schema has properties of its own beside them, those belong to each.
    fn any(&self, schema: &Value, any: &[Value], value: &Value, at: &str, found: &mut Vec<String>) {
        let of_one = |one: &Value| {
            let mut found = Vec::new();
            if schema.get("properties").is_some() {
                self.members(&[schema, self.resolved(one)], value, at, &mut found);
            } else {
                self.value(one, value, at, &mut found);
            }
            found
        };
        let tried: Vec<Vec<String>> = any.iter().map(of_one).collect();
        // The one that is meant, by its constant, or the closest says most of what is wrong.
        let another = |found: &[String]| found.iter().any(|why| why.ends_with(NOT_THE_VALUE));
        let meant = tried.into_iter().min_by_key(|found| (another(found), found.len()));
        found.extend(meant.unwrap_or_default());
    }

    /// The members of an object that all of these schemas describe together.
    fn members(&self, schemas: &[&Value], value: &Value, at: &str, found: &mut Vec<String>) {
        let Some(object) = value.as_object() else { return };
        for required in schemas
            .iter()
            .filter_map(|schema| schema["required"].as_array())
            .flatten()
        {
            let name = required.as_str().unwrap_or_default();
            if !object.contains_key(name) {
                found.push(format!("{at}: {name} is missing"));
            }
        }
        for (name, member) in object {
            let place = format!("{at}.{name}");
            let known = schemas.iter().find_map(|schema| schema["properties"].get(name));
            let others = schemas.iter().find_map(|schema| schema.get("additionalProperties"));
            match known.or(others.filter(|others| others.is_object())) {
                Some(schema) => self.value(schema, member, &place, found),
                None => found.push(format!("{place} is not in the schema")),
            }
        }
    }

    fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let definition = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/"));
        match definition {
            Some(name) => &self.root["$defs"][name],
            None => schema,
        }
    }
}

fn alternatives(schema: &Value) -> Option<&[Value]> {
    let any = schema.get("anyOf").or_else(|| schema.get("oneOf"))?;
    any.as_array().map(Vec::as_slice)
}

fn has_type(schema: &Value, value: &Value) -> bool {
    let is = |name: &str| match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    };
    match &schema["type"] {
        Value::String(name) => is(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(is),
        _ => true,
    }
}

mod tests {
    use serde_json::json;

    use super::mismatches;

    #[test]
    fn what_is_missing_wrong_or_unknown_is_found_and_told_where() {
        let schema = json!({
            "type": "object",
            "properties": {"runs": {"type": "array", "items": {"$ref": "#/$defs/Run"}}, "note": {"type": ["string", "null"]}},
            "required": ["runs"],
            "$defs": {"Run": {
                "type": "object",
                "properties": {"run": {"type": "integer"}},
                "required": ["run", "kind"],
                "oneOf": [
                    {"type": "object", "properties": {"kind": {"type": "string", "const": "slow"}, "ms": {"type": "integer"}}, "required": ["ms"]},
                    {"type": "object", "properties": {"kind": {"type": "string", "const": "lost"}}},
                ],
            }},
        });
        let found = |report| mismatches(&schema, &report);
        let fine = json!({"note": null, "runs": [{"run": 1, "kind": "slow", "ms": 3}, {"run": 2, "kind": "lost"}]});
        assert_eq!(found(fine), Vec::<String>::new());
        assert_eq!(found(json!({})), ["report: runs is missing"]);
        assert_eq!(
            found(json!({"runs": [], "more": 1})),
            ["report.more is not in the schema"]
        );
        let unknown = found(json!({"runs": [{"run": 1, "kind": "lost", "ms": 3}]}));
        assert_eq!(unknown, ["report.runs[0].ms is not in the schema"]);
        assert_eq!(
            found(json!({"runs": [{"run": "1", "kind": "lost"}]})),
            ["report.runs[0].run: \"1\" is not \"integer\""]
        );
        assert!(!found(json!({"runs": [{"run": 1, "kind": "else"}]})).is_empty());
    }
}
