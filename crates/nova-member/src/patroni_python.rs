//! What Patroni's Python runs before it: see the file itself.

/// The directory that is to hold [`FILE`] and nothing else, beside Patroni's settings.
pub const DIRECTORY: &str = "python";
/// A name that Python looks for at its start.
pub const FILE: &str = "sitecustomize.py";
/// What stands in it.
pub const CONTENT: &str = include_str!("../python/sitecustomize.py");

/// Patroni's environment, where that directory is at `path`.
#[must_use]
pub fn environment(path: &str) -> [(&'static str, String); 2] {
    [
        ("PYTHONPATH", path.to_owned()),
        // Nothing is to be left beside it.
        ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
    ]
}
