//! Errors in one line.

use std::error::Error;

/// An error and its causes on one line, the outermost first.
#[must_use]
pub fn explained(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// The innermost error alone, which is the one that says what happened: "Connection refused (os error 111)".
#[must_use]
pub fn root_cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::{explained, root_cause};

    #[derive(Debug, thiserror::Error)]
    #[error("cannot start")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn causes_stand_behind_what_they_caused() {
        let error = Outer(std::io::Error::other("no such user"));
        assert_eq!(explained(&error), "cannot start: no such user");
        assert_eq!(root_cause(&error), "no such user");
    }
}
