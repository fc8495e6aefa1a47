//! What is refused, at the lines that ask for it.

use serde_json::Value;

use super::changes::Change;
use crate::validate::Problem;

/// Problems at the lines of the settings that are refused.
#[must_use]
pub fn problems(changes: &[Change]) -> Vec<Problem> {
    let problem = |change: &Change| {
        let refusal = change.refusal.as_ref()?;
        let value = |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string);
        let before = value(&change.before);
        Some(Problem {
            message: format!(
                "{} cannot change from {before} to {} on a platform that was deployed: {}",
                change.setting,
                value(&change.after),
                refusal.reason
            ),
            keys: vec![change.key.clone()],
            help: Some(format!(
                "take this line back ({} = {before}), and everything else can be deployed; to get there: {}",
                change.setting, refusal.way
            )),
        })
    };
    changes.iter().filter_map(problem).collect()
}
