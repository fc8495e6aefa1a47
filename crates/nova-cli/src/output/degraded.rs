//! A component that serves and is not whole: the failing checks, the member to blame, and its last words.

use std::fmt::Write;

use nova_platform::rollout::Degraded;
use serde_json::{Value, json};

use super::failure::{logs_block, logs_json};
use super::{BOLD, Output};

/// For people.
pub(crate) fn degraded_block(degraded: &Degraded, output: Output) -> String {
    let mut text = format!("  component  {}\n", degraded.component);
    if let Some(member) = &degraded.member {
        let _ = writeln!(text, "  member     {member}");
    }
    for check in &degraded.failing {
        let error = check.error.as_deref().unwrap_or("failed");
        let _ = writeln!(text, "  check      {}: {error}", check.name);
    }
    text.push_str(&logs_block(&degraded.logs, output));
    let of = degraded.member.as_deref().unwrap_or(degraded.component.as_str());
    let _ = writeln!(
        text,
        "{} ./nova logs {of} shows more; ./nova status says when it is whole again",
        output.paint(BOLD, "next:")
    );
    text
}

/// For programs.
pub(crate) fn degraded_json(degraded: &Degraded) -> Value {
    let checks: Vec<Value> = degraded
        .failing
        .iter()
        .map(|check| json!({"name": check.name, "error": check.error}))
        .collect();
    json!({
        "component": degraded.component,
        "member": degraded.member,
        "failing_checks": checks,
        "logs": logs_json(&degraded.logs),
    })
}
