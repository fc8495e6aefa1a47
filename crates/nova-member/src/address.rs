//! Where members are met.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A member and where it is met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Such as `redis-1`.
    pub member: String,
    /// An address, or a name that resolves to one.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

impl Address {
    pub(crate) fn is_at(&self, place: &HostPort) -> bool {
        self.host == place.host && self.port == place.port
    }

    pub(crate) fn place(&self) -> HostPort {
        HostPort::new(&self.host, self.port)
    }
}

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HostPort {
    /// An address or a name.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

impl HostPort {
    /// A host and a port.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
        }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}
