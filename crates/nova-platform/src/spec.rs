//! What a platform is: the typed content of `nova.toml`, already merged over the shipped defaults.

mod calls;
mod drill;
mod kubernetes;
mod service;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::{Duration, Size};

pub use calls::{CallsOverride, CallsSpec};
pub use drill::{BudgetSpec, BudgetTimes, DrillSpec};
pub use kubernetes::{CredentialsSpec, KubernetesSpec, ProfileChoice, VolumesSpec};
pub use service::ServiceSpec;

/// The whole platform. Every field has its default in the shipped `nova.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// What names this platform.
    pub platform: PlatformSpec,
    /// Settings of the local target.
    pub local: LocalSpec,
    /// Settings of the Kubernetes target.
    pub kubernetes: KubernetesSpec,
    /// etcd, which holds Patroni's leader key.
    pub etcd: EtcdSpec,
    /// PostgreSQL under Patroni.
    pub postgres: PostgresSpec,
    /// Redis and its Sentinels.
    pub redis: RedisSpec,
    /// Kafka in KRaft mode.
    pub kafka: KafkaSpec,
    /// HAProxy, in front of PostgreSQL and the services.
    pub gateway: GatewaySpec,
    /// Calls from one service to another.
    pub calls: CallsSpec,
    /// What drills may find.
    pub drill: DrillSpec,
    /// The services, by component name.
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub services: BTreeMap<String, ServiceSpec>,
}

impl Spec {
    /// The services that have a door at the gateway, by component name.
    pub fn public_services(&self) -> impl Iterator<Item = (&String, &ServiceSpec)> {
        self.services.iter().filter(|(_, service)| service.public)
    }
}

/// What names a platform.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlatformSpec {
    /// Lower-case letters, digits and dashes; names the state directory.
    #[schemars(extend("x-nova-change" = "refused"))]
    pub name: String,
}

/// Settings of the local target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LocalSpec {
    /// First three octets of the loopback network whose .1, .2, .3 are the nodes.
    #[schemars(extend("x-nova-change" = "refused"))]
    pub network: String,
    /// The loopback address that users meet.
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub gateway_address: String,
    /// System user that members run as when root deploys.
    #[schemars(extend("x-nova-change" = "refused"))]
    pub user: String,
    /// First pause before a crashed member starts again.
    #[schemars(extend("x-nova-change" = "live"))]
    pub restart_backoff: Duration,
    /// Longest pause before a crashed member starts again.
    #[schemars(extend("x-nova-change" = "live"))]
    pub restart_backoff_max: Duration,
    /// Size at which a member's log is rotated.
    #[schemars(extend("x-nova-change" = "live"))]
    pub log_max_size: Size,
}

/// etcd.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EtcdSpec {
    /// Voters, an odd number.
    #[schemars(extend("x-nova-change" = "staged"))]
    pub members: u16,
    /// Port for clients.
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub client_port: u16,
    /// Port between members.
    #[schemars(extend("x-nova-change" = "refused"))]
    pub peer_port: u16,
    /// Raft heartbeat.
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub heartbeat_interval: Duration,
    /// Raft election timeout, at least five heartbeats.
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub election_timeout: Duration,
    /// Backend size above which etcd refuses writes.
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub quota_backend_size: Size,
}

/// How commits wait for standbys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SynchronousMode {
    /// Any `synchronous_node_count` standbys must confirm.
    Quorum,
    /// Named standbys must confirm.
    On,
    /// Nothing is waited for: a failover loses acknowledged commits.
    Off,
}

/// PostgreSQL under Patroni.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostgresSpec {
    /// Servers, each with its own Patroni.
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub members: u16,
    /// PostgreSQL's port.
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub port: u16,
    /// Port of Patroni's REST API.
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub patroni_port: u16,
    /// How commits wait for standbys.
    #[schemars(extend("x-nova-change" = "live"))]
    pub synchronous_mode: SynchronousMode,
    /// Standbys that must have a commit before it is acknowledged.
    #[schemars(extend("x-nova-change" = "live"))]
    pub synchronous_node_count: u16,
    /// Keep the leader while etcd is down and every member is reachable.
    #[schemars(extend("x-nova-change" = "live"))]
    pub failsafe_mode: bool,
    /// Life of the leader key; at least 20 s.
    #[schemars(extend("x-nova-change" = "live"))]
    pub ttl: Duration,
    /// Pause between Patroni's rounds.
    #[schemars(extend("x-nova-change" = "live"))]
    pub loop_wait: Duration,
    /// How long Patroni retries etcd and PostgreSQL before it gives up.
    #[schemars(extend("x-nova-change" = "live"))]
    pub retry_timeout: Duration,
    /// How long a crashed leader may try to start before it is replaced.
    #[schemars(extend("x-nova-change" = "live"))]
    pub primary_start_timeout: Duration,
    /// `max_connections` of each server.
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub max_connections: u32,
    /// `shared_buffers` of each server.
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub shared_buffers: Size,
    /// `max_wal_size` of each server.
    #[schemars(extend("x-nova-change" = "live"))]
    pub max_wal_size: Size,
    /// `max_slot_wal_keep_size` of each server.
    #[schemars(extend("x-nova-change" = "live"))]
    pub max_slot_wal_keep_size: Size,
}

/// Redis and its Sentinels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RedisSpec {
    /// Redis servers: one master, the rest replicas.
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub members: u16,
    /// Redis's port.
    #[schemars(extend("x-nova-change" = "refused"))]
    pub port: u16,
    /// Sentinels, an odd number.
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub sentinels: u16,
    /// Sentinel's port.
    #[schemars(extend("x-nova-change" = "refused"))]
    pub sentinel_port: u16,
    /// Sentinels that must agree that the master is down.
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub quorum: u16,
    /// Silence after which a Sentinel believes that the master is down.
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub down_after: Duration,
    /// Time limit of one failover; a failed one is tried again after twice this.
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub failover_timeout: Duration,
    /// `maxmemory` of each server.
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub maxmemory: Size,
    /// Whether the append-only file is kept.
    #[schemars(extend("x-nova-change" = "staged"))]
    pub appendonly: bool,
    /// Replicas that must be attached for the master to accept a write.
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub min_replicas_to_write: u16,
    /// Lag beyond which a replica does not count as attached.
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub min_replicas_max_lag: Duration,
}

/// Kafka in KRaft mode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KafkaSpec {
    /// Brokers, each a controller as well.
    #[schemars(extend("x-nova-change" = "refused"))]
    pub members: u16,
    /// Port for clients and brokers.
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub port: u16,
    /// Port of the controller quorum.
    #[schemars(extend("x-nova-change" = "refused"))]
    pub controller_port: u16,
    /// Copies of every partition.
    #[schemars(extend("x-nova-change" = "refused"))]
    pub replication_factor: u16,
    /// Copies that must have a record before it is acknowledged.
    #[schemars(extend("x-nova-change" = "refused"))]
    pub min_insync_replicas: u16,
    /// Whether a replica that is not in sync may lead.
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub unclean_leader_election: bool,
    /// Java heap of a broker.
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub heap: Size,
    /// Silence after which a broker loses its leaderships.
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub session_timeout: Duration,
    /// Pause between a broker's heartbeats.
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub heartbeat_interval: Duration,
}

/// HAProxy, in front of PostgreSQL and the services.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GatewaySpec {
    /// Port that leads to PostgreSQL's leader.
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub primary_port: u16,
    /// Port that leads to PostgreSQL's replicas.
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub replicas_port: u16,
    /// Pause between health checks of a backend; three times that of PostgreSQL's replicas.
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub check_interval: Duration,
    /// Connections that the gateway accepts in all. Up to half of them are PostgreSQL's, as many as its `max_connections` at each
    /// of the two doors; the doors of services share the rest, and one client has half of a door at most.
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub max_connections: u32,
    /// Origins whose pages may use the services' APIs from a browser (CORS), such as `https://nova.example`.
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub origins: Vec<String>,
}
