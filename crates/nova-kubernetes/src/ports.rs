//! Ports that the description does not name, since only the cluster has them.

/// Where clients in the cluster meet PostgreSQL: the port of the Services `postgres-primary` and `postgres-replicas`.
pub const POSTGRES: u16 = 5432;
/// Where HAProxy says that it is up itself.
pub const GATEWAY_HEALTH: u16 = nova_platform::config::haproxy::HEALTH_PORT;
/// Where the agent listens, on 127.0.0.1 of its pod.
pub const AGENT: u16 = 7070;
