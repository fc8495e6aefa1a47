//! Where a running platform's members are met. A target makes this; checks and clients use it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use nova_member::HostPort;

/// A member and the address that its clients use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberEndpoint {
    /// The member's name.
    pub member: String,
    /// Its address.
    pub address: HostPort,
}

/// A PostgreSQL member's two addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostgresEndpoint {
    /// The member's name.
    pub member: String,
    /// PostgreSQL itself.
    pub postgres: HostPort,
    /// Patroni's REST API.
    pub patroni: HostPort,
}

/// A service member's two addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceMemberEndpoint {
    /// The member's name.
    pub member: String,
    /// The API.
    pub api: HostPort,
    /// Probes and metrics.
    pub operations: HostPort,
}

/// Where a service is met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceEndpoints {
    /// Through the gateway, as users do; `None` for one that is not public.
    pub gateway: Option<HostPort>,
    /// Each member directly.
    pub members: Vec<ServiceMemberEndpoint>,
}

/// Where everything is met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    /// etcd's client addresses.
    pub etcd: Vec<MemberEndpoint>,
    /// PostgreSQL's members.
    pub postgres: Vec<PostgresEndpoint>,
    /// PostgreSQL's leader, through the gateway.
    pub primary: HostPort,
    /// PostgreSQL's replicas, through the gateway.
    pub replicas: HostPort,
    /// Redis's members.
    pub redis: Vec<MemberEndpoint>,
    /// The Sentinels.
    pub sentinels: Vec<MemberEndpoint>,
    /// Kafka's brokers.
    pub kafka: Vec<MemberEndpoint>,
    /// The services, by name.
    pub services: BTreeMap<String, ServiceEndpoints>,
}
