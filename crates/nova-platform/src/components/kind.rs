//! What program a member runs.

/// What program a member runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
