//! The namespaces of a platform in a cluster.

use super::{Kind, facts_of_kind};
use crate::spec::Spec;

/// What a namespace is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Area {
    /// The tool's own: the inventory, all secrets, the agent that runs the checks. Apart from the services, since the agent
    /// may do everything in the stores.
    System,
    /// Redis and Sentinel.
    Redis,
    /// etcd, PostgreSQL, and the gateway in front of it and of the services.
    Database,
    /// Kafka.
    Kafka,
    /// The services.
    Services,
}

impl Area {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::System, Self::Redis, Self::Database, Self::Kafka, Self::Services];

    /// Where members of a kind run.
    #[must_use]
    pub fn of(kind: Kind) -> Self {
        facts_of_kind(kind).area
    }

    /// The namespace, such as `nova-redis`.
    #[must_use]
    pub fn namespace(self, spec: &Spec) -> String {
        let area = match self {
            Self::System => "system",
            Self::Redis => "redis",
            Self::Database => "database",
            Self::Kafka => "kafka",
            Self::Services => "services",
        };
        format!("{}-{area}", spec.platform.name)
    }
}
