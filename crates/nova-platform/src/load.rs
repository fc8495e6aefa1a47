//! From `nova.toml` to a validated description: the user's file over the shipped one, and every problem with its line.

mod error;
mod merge;
mod typed;

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::LazyLock;

use toml::Table;
use toml::de::DeTable;

use crate::spec::Spec;
use crate::validate::{self, Warning};

use error::{Found, MOST_REPORTED, Source};
pub use error::{LoadError, Reported};

/// The description as shipped: every setting, with its default and a comment.
pub const SHIPPED: &str = include_str!("../../../nova.toml");

/// No description comes near this size; what is larger is another file.
const LARGEST: u64 = 1 << 20;

/// A validated description.
#[derive(Debug, Clone, PartialEq)]
pub struct Platform {
    /// What was described.
    pub spec: Spec,
    /// Protections that it gives up.
    pub warnings: Vec<Warning>,
}

/// Reads the user's file over the shipped description; `None` means the shipped description alone.
///
/// # Errors
/// When the file cannot be read, or for everything in it that is wrong, at once.
pub fn load(path: Option<&Path>) -> Result<Platform, LoadError> {
    match path {
        Some(path) => parse(&read(path)?, &path.display().to_string()),
        None => parse("", "nova.toml"),
    }
}

/// Reads a text over the shipped description. The name is what errors call the text.
///
/// # Errors
/// For everything in the text that is wrong, at once.
pub fn parse(text: &str, name: &str) -> Result<Platform, LoadError> {
    let source = Source::new(name, text);
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let found = errors.iter().take(MOST_REPORTED).map(Found::syntax).collect();
        return Err(LoadError::invalid(&source, found, errors.len()));
    }

    let mut merged = merge::merge(document.get_ref(), &DEFAULTS);
    let spec = typed::deserialize(&mut merged, &DEFAULTS);
    let mut found = std::mem::take(&mut merged.found);
    let mut warnings = Vec::new();
    if let Some(spec) = &spec {
        let findings = validate::validate(spec);
        warnings = findings.warnings;
        // What stands in for a value that was refused proves nothing about the others.
        let is_sound = |problem: &&validate::Problem| !problem.keys.iter().any(|key| merged.is_stand_in(key));
        found.extend(
            findings
                .problems
                .iter()
                .filter(is_sound)
                .map(|problem| merged.problem(problem)),
        );
    }
    match spec {
        Some(spec) if found.is_empty() => Ok(Platform { spec, warnings }),
        _ => {
            let count = found.len();
            Err(LoadError::invalid(&source, found, count))
        }
    }
}

/// Shows problems that a description has with the platform that it is to change, at their lines. `path` is where it was read from.
///
/// # Errors
/// [`LoadError::Invalid`] when there is any problem.
pub fn refuse(path: Option<&Path>, problems: &[validate::Problem]) -> Result<(), LoadError> {
    if problems.is_empty() {
        return Ok(());
    }
    let (text, name) = match path {
        Some(path) => (read(path)?, path.display().to_string()),
        None => (String::new(), "nova.toml".to_owned()),
    };
    let source = Source::new(&name, &text);
    let (document, _) = DeTable::parse_recoverable(&text);
    let merged = merge::merge(document.get_ref(), &DEFAULTS);
    let found: Vec<Found> = problems.iter().map(|problem| merged.problem(problem)).collect();
    let count = found.len();
    Err(LoadError::invalid(&source, found, count))
}

/// The shipped description as a table. That it parses is proved by a test, so that the empty table is never met.
static DEFAULTS: LazyLock<Table> = LazyLock::new(|| SHIPPED.parse().unwrap_or_default());

/// The shipped description as a table, for whoever shows defaults.
pub(crate) fn defaults() -> &'static Table {
    &DEFAULTS
}

fn read(path: &Path) -> Result<String, LoadError> {
    let shown = path.display().to_string();
    let unreadable = |source: std::io::Error| match source.kind() {
        ErrorKind::NotFound => LoadError::Missing { path: shown.clone() },
        ErrorKind::PermissionDenied => LoadError::Forbidden {
            path: shown.clone(),
            source,
        },
        _ => LoadError::Unreadable {
            path: shown.clone(),
            source,
        },
    };
    // Looked at before it is opened: opening a named pipe would wait for its writer.
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(LoadError::Directory { path: shown });
    }
    if !metadata.is_file() {
        return Err(LoadError::NotAFile { path: shown });
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST {
        return Err(LoadError::TooLarge { path: shown });
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..valid].iter().filter(|byte| **byte == b'\n').count() + 1;
        LoadError::NotText { path: shown, line }
    })
}

#[cfg(test)]
mod tests;
