//! The JSON Schema of a report, for programs that read it.

use schemars::schema_for;
use serde_json::{Value, json};

use super::{CampaignReport, SCHEMA};

/// The schema of `nova.drill/v1`. `docs/schemas/drill.schema.json` holds the same.
#[must_use]
pub fn json_schema() -> Value {
    let mut schema = schema_for!(CampaignReport).to_value();
    schema["$id"] = json!("drill.schema.json");
    schema["title"] = json!(SCHEMA);
    schema["properties"]["schema"]["const"] = json!(SCHEMA);
    schema
}
