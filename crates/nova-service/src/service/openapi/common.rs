//! The answers that the chassis gives on every route, added to the description of each: nobody has to remember them.

use serde_json::{Map, Value, json};

const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

/// For every operation.
const ALWAYS: [(&str, &str); 4] = [
    (
        "406",
        "`not_acceptable`: `Accept` wants what this route does not answer",
    ),
    ("500", "`internal`"),
    (
        "503",
        "`dependency_unavailable`, `overloaded`, `starting`, `draining`: nothing was done, try again after `Retry-After` seconds",
    ),
    ("504", "`timeout`, `deadline_exceeded`, `outcome_unknown`"),
];
/// For an operation that takes a body.
const WITH_BODY: [(&str, &str); 5] = [
    ("400", "`invalid_json`, `bad_request`"),
    ("408", "`request_timeout`: the body did not arrive in time"),
    ("413", "`body_too_large`"),
    ("415", "`unsupported_media_type`"),
    ("429", "`too_many_requests`"),
];
const WITH_QUERY: (&str, &str) = ("400", "`invalid_parameter`, `bad_request`");
const WITH_TOKEN: (&str, &str) = ("401", "`unauthorized`, `invalid_token`, `token_expired`");
const WITH_PATH: (&str, &str) = ("404", "`not_found`");

/// Adds to each operation what is not described there.
pub(super) fn complete(document: &mut Value) {
    let Some(paths) = document["paths"].as_object_mut() else {
        return;
    };
    for item in paths.values_mut() {
        let shared = parameters(item);
        for method in METHODS {
            if let Some(operation) = item.get_mut(method) {
                complete_operation(operation, &shared);
            }
        }
    }
}

fn complete_operation(operation: &mut Value, shared: &[String]) {
    let places: Vec<String> = parameters(operation)
        .into_iter()
        .chain(shared.iter().cloned())
        .collect();
    let has = |place: &str| places.iter().any(|found| found == place);
    let mut wanted = ALWAYS.to_vec();
    if operation.get("requestBody").is_some() {
        wanted.extend(WITH_BODY);
    }
    if has("query") || has("header") {
        wanted.push(WITH_QUERY);
    }
    if has("path") {
        wanted.push(WITH_PATH);
    }
    if operation["security"]
        .as_array()
        .is_some_and(|schemes| !schemes.is_empty())
    {
        wanted.push(WITH_TOKEN);
    }
    let Some(operation) = operation.as_object_mut() else {
        return;
    };
    let responses = operation
        .entry("responses")
        .or_insert_with(|| Value::Object(Map::new()));
    for (status, description) in wanted {
        if responses.get(status).is_none() {
            responses[status] = problem(description);
        }
    }
}

/// Where the parameters of an operation, or of all operations of a path, stand.
fn parameters(of: &Value) -> Vec<String> {
    let list = of["parameters"].as_array().into_iter().flatten();
    list.filter_map(|parameter| parameter["in"].as_str().map(ToOwned::to_owned))
        .collect()
}

fn problem(description: &str) -> Value {
    json!({
        "description": description,
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    })
}
