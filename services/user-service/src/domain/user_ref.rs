//! How a path names an account: by id, by username, or `me`.

use serde::{Deserialize, Deserializer, de};
use uuid::Uuid;

use super::username::Username;

/// What stands in a path. The three forms cannot be confused: a username has 3 to 30 characters and no hyphen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UserRef {
    Me,
    Id(Uuid),
    Name(Username),
}

impl UserRef {
    fn parse(text: &str) -> Option<Self> {
        if text == "me" {
            return Some(Self::Me);
        }
        match Uuid::try_parse(text) {
            Ok(id) => Some(Self::Id(id)),
            Err(_) => Username::parse(text).ok().map(Self::Name),
        }
    }
}

impl<'de> Deserialize<'de> for UserRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("neither an id nor a username"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_forms() {
        let id = Uuid::now_v7();
        assert_eq!(UserRef::parse("me"), Some(UserRef::Me));
        assert_eq!(UserRef::parse(&id.to_string()), Some(UserRef::Id(id)));
        assert_eq!(UserRef::parse("Ada"), Username::parse("ada").ok().map(UserRef::Name));
        assert_eq!(UserRef::parse("ada-lovelace"), None);
    }
}
