//! Names in the cluster: namespaces, and the one under which every member of a store is met.

use nova_platform::spec::Spec;
use nova_platform::topology::{Kind, Member};

/// `app.kubernetes.io/managed-by` of everything that nova applies, and its field manager.
pub const MANAGER: &str = "nova";
/// `app.kubernetes.io/part-of` of everything that nova applies.
pub const PART_OF: &str = "nova";

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
    pub const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Redis | Kind::Sentinel => Self::Redis,
            Kind::Etcd | Kind::Postgres | Kind::Gateway => Self::Database,
            Kind::Kafka => Self::Kafka,
            Kind::Service => Self::Services,
        }
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

/// The name of the Service without an address of its own that names the members of a StatefulSet or of a service.
#[must_use]
pub fn members_service(name: &str) -> String {
    format!("{name}-members")
}

/// The full DNS name of a Service.
#[must_use]
pub fn service_host(spec: &Spec, area: Area, service: &str) -> String {
    format!(
        "{service}.{}.svc.{}",
        area.namespace(spec),
        spec.kubernetes.cluster_domain
    )
}

/// The name under which a member of a store is met: that of a Service of its own, whose address stays when the pod is
/// replaced or its node is gone. A pod's own name would vanish from DNS with it, in the middle of a failover.
#[must_use]
pub fn member_host(spec: &Spec, member: &Member) -> String {
    service_host(spec, Area::of(member.kind), &member.name)
}
