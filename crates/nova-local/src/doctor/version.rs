//! Version numbers in what programs say of themselves.

use std::fmt;

/// The first numbers of a version; what follows them never decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(pub(super) u32, pub(super) u32);

impl Version {
    /// The first version number in a text, such as 15.18 in "postgres (PostgreSQL) 15.18 (Debian)". Java up to 8 calls
    /// itself 1.8, which is older than any version that is asked for, as it should be.
    pub(super) fn first_in(text: &str) -> Option<Self> {
        text.split(|c: char| c.is_whitespace() || "\"=,()v:".contains(c))
            .find_map(|word| {
                let mut numbers = word.split(['.', '-', '+', '~']);
                let major = numbers.next()?.parse().ok()?;
                let minor = numbers.next().and_then(|minor| minor.parse().ok());
                // A lone number is a version only where it is the whole word, as in "openjdk 21".
                (minor.is_some() || word.chars().all(|c| c.is_ascii_digit())).then(|| Self(major, minor.unwrap_or(0)))
            })
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

#[cfg(test)]
mod tests {
    use super::Version;

    #[test]
    fn what_programs_say_is_understood() {
        let cases = [
            (
                "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)",
                Some(Version(15, 18)),
            ),
            (
                "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64",
                Some(Version(7, 0)),
            ),
            ("etcd Version: 3.4.23\nGit SHA: Not provided", Some(Version(3, 4))),
            ("HAProxy version 2.6.12-1+deb12u4 2026/01/10", Some(Version(2, 6))),
            ("openjdk version \"17.0.15\" 2025-04-15", Some(Version(17, 0))),
            ("openjdk version \"21\" 2023-09-19", Some(Version(21, 0))),
            ("java version \"1.8.0_402\"", Some(Version(1, 8))),
            ("PostgreSQL 18beta2", None),
            ("no such thing", None),
            ("", None),
        ];
        for (text, version) in cases {
            assert_eq!(Version::first_in(text), version, "{text}");
        }
        assert!(Version(15, 0) < Version(16, 0) && Version(2, 6) > Version(2, 4));
    }
}
