//! What a component is called, and what its members run: a value that the compiler knows, and a string only where it is printed or parsed.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Declares Nova's own components, each once and in the order in which they are shown: the variant and its name.
macro_rules! own_components {
    ($($(#[$doc:meta])+ $variant:ident: $name:literal,)+) => {
        /// A component: a part of the platform that starts, is checked and is shown as one. Cheap to clone. In JSON and on the command
        /// line it is its name.
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum ComponentId {
            $($(#[$doc])+ $variant,)+
            /// A service of the description, by its name.
            Service(Arc<str>),
            /// `agent`, which runs the checks inside a cluster. Only there.
            Agent,
            /// `foundation`: what no other component owns in a cluster, such as namespaces, policies and secrets. Only there.
            Foundation,
        }

        impl ComponentId {
            /// Those of every platform, in the order in which they are shown; the services come after them.
            pub const OWN: [Self; [$($name),+].len()] = [$(Self::$variant),+];

            /// The name.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $name,)+
                    Self::Service(name) => name,
                    Self::Agent => "agent",
                    Self::Foundation => "foundation",
                }
            }
        }
    };
}

own_components! {
    /// `etcd`, which remembers who leads PostgreSQL.
    Etcd: "etcd",
    /// `postgres`: PostgreSQL under Patroni.
    Postgres: "postgres",
    /// `redis`: the servers and their Sentinels.
    Redis: "redis",
    /// `kafka`.
    Kafka: "kafka",
    /// `gateway`: HAProxy, in front of PostgreSQL and the services.
    Gateway: "gateway",
}

impl ComponentId {
    /// The service of this name.
    #[must_use]
    pub fn service(name: &str) -> Self {
        Self::Service(Arc::from(name))
    }
}

/// What program a member runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// An etcd voter.
    Etcd,
    /// Patroni with its PostgreSQL.
    Postgres,
    /// A Redis server.
    Redis,
    /// A Redis Sentinel; a member of the component `redis`.
    Sentinel,
    /// A Kafka broker and controller.
    Kafka,
    /// HAProxy.
    Gateway,
    /// A Nova service.
    Service,
}

/// Every name that is none of Nova's own is a service's; whether there is such a service, the description knows.
impl From<&str> for ComponentId {
    fn from(name: &str) -> Self {
        let mut own = Self::OWN.into_iter().chain([Self::Agent, Self::Foundation]);
        own.find(|id| id.as_str() == name)
            .unwrap_or_else(|| Self::service(name))
    }
}

impl FromStr for ComponentId {
    type Err = Infallible;

    fn from_str(name: &str) -> Result<Self, Infallible> {
        Ok(Self::from(name))
    }
}

impl fmt::Display for ComponentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for ComponentId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ComponentId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|name| Self::from(name.as_str()))
    }
}

/// Their names for people, separated by commas.
#[must_use]
pub fn names<'a>(ids: impl IntoIterator<Item = &'a ComponentId>) -> String {
    let names: Vec<&str> = ids.into_iter().map(ComponentId::as_str).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::ComponentId;

    #[test]
    fn every_id_is_its_name_and_back() {
        let mut all = ComponentId::OWN.to_vec();
        all.extend([
            ComponentId::Agent,
            ComponentId::Foundation,
            ComponentId::service("chat"),
        ]);
        for id in all {
            assert_eq!(id.to_string().parse(), Ok(id.clone()));
            let json = serde_json::to_string(&id).expect("a string");
            assert_eq!(json, format!("\"{id}\""));
            assert_eq!(serde_json::from_str::<ComponentId>(&json).ok(), Some(id));
        }
    }

    #[test]
    fn names_line_up_in_columns() {
        assert_eq!(format!("{:>6}|", ComponentId::Etcd), "  etcd|");
    }
}
