//! Version numbers in what programs say of themselves.

use std::fmt;

/// The first numbers of a version; what follows them never decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(pub(super) u32, pub(super) u32);

impl Version {
    /// The version in the first line that begins as the program introduces itself: 7.0 in "Redis server v=7.0.15 sha=..." after
    /// "Redis server v=". What else is said does not count, as by Java of options that it picked up from the environment, by a loader
    /// of a library that it cannot preload, or by another program of the same name. Java up to 8 calls itself 1.8, which is older
    /// than any version that is asked for, as it should be.
    pub(super) fn introduced(said: &str, introductions: &[&str]) -> Option<Self> {
        said.lines().find_map(|line| {
            let rest = introductions.iter().find_map(|words| line.trim().strip_prefix(words))?;
            let word = rest.split(|c: char| c.is_whitespace() || "\",()".contains(c)).next()?;
            Self::of(word)
        })
    }

    /// `15.18`, `21`, `2.6.12-1`, `17-ea`.
    fn of(word: &str) -> Option<Self> {
        let mut numbers = word.split(['.', '-', '+', '~', '_']);
        let major = numbers.next()?.parse().ok()?;
        let minor = numbers.next().and_then(|minor| minor.parse().ok());
        Some(Self(major, minor.unwrap_or(0)))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.1 == 0 {
            write!(f, "{}", self.0)
        } else {
            write!(f, "{}.{}", self.0, self.1)
        }
    }
}
