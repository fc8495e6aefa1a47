//! The path of one setting in `nova.toml`, such as `services.auth-service.port`.

use std::fmt;

/// The path of one setting.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Key(Vec<String>);

impl Key {
    /// A path written with dots; for names that may hold dots themselves, use [`Key::child`].
    #[must_use]
    pub fn new(path: &str) -> Self {
        Self(path.split('.').map(str::to_owned).collect())
    }

    /// A service's entry.
    #[must_use]
    pub fn service(name: &str) -> Self {
        Self::new("services").child(name)
    }

    /// The setting of this name below this one.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        Self(self.0.iter().cloned().chain([name.to_owned()]).collect())
    }

    /// Whether this setting is the other one or below it.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }

    /// The names from the outermost to the innermost.
    #[must_use]
    pub fn segments(&self) -> &[String] {
        &self.0
    }
}

impl FromIterator<String> for Key {
    fn from_iter<I: IntoIterator<Item = String>>(segments: I) -> Self {
        Self(segments.into_iter().collect())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        for (index, segment) in self.0.iter().enumerate() {
            let dot = if index == 0 { "" } else { "." };
            if !segment.is_empty() && segment.chars().all(bare) {
                write!(f, "{dot}{segment}")?;
            } else {
                write!(f, "{dot}{segment:?}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Key;

    #[test]
    fn a_key_prints_as_toml_would_have_it_written() {
        assert_eq!(
            Key::service("auth-service").child("port").to_string(),
            "services.auth-service.port"
        );
        assert_eq!(Key::service("a.b").to_string(), "services.\"a.b\"");
    }

    #[test]
    fn a_key_is_within_itself_and_what_holds_it() {
        let key = Key::new("redis.port");
        assert!(key.is_within(&key));
        assert!(key.is_within(&Key::new("redis")));
        assert!(!Key::new("redis").is_within(&key));
    }
}
