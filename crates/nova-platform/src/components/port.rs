//! What members listen on.

use std::borrow::Cow;

use super::Kind;
use crate::key::Key;

/// A port that members of one kind listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Which members.
    pub kind: Kind,
    /// At most 15 letters, digits and dashes: what it is called in a cluster.
    pub name: Cow<'static, str>,
    /// For people: what is met there, behind the member's name; of the gateway, whose door it is.
    pub what: Cow<'static, str>,
    /// The setting that says which number.
    pub key: Key,
    /// The number.
    pub number: u16,
    /// Whether only a cluster has it.
    pub only_in_cluster: bool,
}

impl Port {
    pub(super) fn new(kind: Kind, name: &'static str, what: &'static str, key: &str, number: u16) -> Self {
        Self {
            kind,
            name: Cow::Borrowed(name),
            what: Cow::Borrowed(what),
            key: Key::new(key),
            number,
            only_in_cluster: false,
        }
    }
}
