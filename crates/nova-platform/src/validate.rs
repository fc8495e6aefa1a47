//! Whether a description makes sense: what cannot work is a problem, what invites a known failure is a warning.

mod bounds;
mod calls;
mod kubernetes;
mod members;
mod names;
mod pools;
mod ports;
mod services;
mod timing;
mod weakened;

use std::fmt;

use crate::key::Key;
use crate::spec::Spec;

/// Something that cannot work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong, and why.
    pub message: String,
    /// The settings that are involved, the one to change first.
    pub keys: Vec<Key>,
    /// What to do, where that is not plain from the message.
    pub help: Option<String>,
}

/// Something that works, and gives up a protection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The setting.
    pub key: String,
    /// The failure that it invites.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.message)
    }
}

/// Everything that was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// What cannot work.
    pub problems: Vec<Problem>,
    /// What gives up a protection.
    pub warnings: Vec<Warning>,
}

/// Judges a whole description.
#[must_use]
pub fn validate(spec: &Spec) -> Findings {
    let mut findings = Findings::default();
    names::check(spec, &mut findings);
    bounds::check(spec, &mut findings);
    kubernetes::check(spec, &mut findings);
    members::check(spec, &mut findings);
    timing::check(spec, &mut findings);
    ports::check(spec, &mut findings);
    services::check(spec, &mut findings);
    calls::check(spec, &mut findings);
    pools::check(spec, &mut findings);
    weakened::check(spec, &mut findings);
    findings
}

impl Findings {
    fn problem(&mut self, keys: impl IntoIterator<Item = Key>, message: impl Into<String>) {
        self.problems.push(Problem {
            message: message.into(),
            keys: keys.into_iter().collect(),
            help: None,
        });
    }

    fn problem_with_help(
        &mut self,
        keys: impl IntoIterator<Item = Key>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.problems.push(Problem {
            message: message.into(),
            keys: keys.into_iter().collect(),
            help: Some(help.into()),
        });
    }

    fn warning(&mut self, key: impl fmt::Display, message: impl Into<String>) {
        self.warnings.push(Warning {
            key: key.to_string(),
            message: message.into(),
        });
    }
}

#[cfg(test)]
mod tests;
