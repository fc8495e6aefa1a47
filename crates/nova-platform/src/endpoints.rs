//! Where a running platform's members are met. A target makes this; checks and clients use it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::component_id::Kind;

pub use nova_member::HostPort;

/// A store's member, and where each of its ports is met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreEndpoint {
    /// The member's name.
    pub member: String,
    /// What it runs.
    pub kind: Kind,
    /// Its ports by their names, the one that its clients use first.
    pub ports: Vec<(String, HostPort)>,
}

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
    /// The stores' members.
    pub stores: Vec<StoreEndpoint>,
    /// PostgreSQL's leader, through the gateway.
    pub primary: HostPort,
    /// PostgreSQL's replicas, through the gateway.
    pub replicas: HostPort,
    /// The services, by name.
    pub services: BTreeMap<String, ServiceEndpoints>,
}

impl Endpoints {
    /// The members of one kind, at the address that their clients use.
    #[must_use]
    pub fn of(&self, kind: Kind) -> Vec<MemberEndpoint> {
        let members = self.stores.iter().filter(|store| store.kind == kind);
        let met = members.filter_map(|store| {
            let (_, address) = store.ports.first()?;
            Some(MemberEndpoint {
                member: store.member.clone(),
                address: address.clone(),
            })
        });
        met.collect()
    }

    /// PostgreSQL's members.
    #[must_use]
    pub fn postgres(&self) -> Vec<PostgresEndpoint> {
        let members = self.stores.iter().filter(|store| store.kind == Kind::Postgres);
        let met = members.filter_map(|store| {
            let at = |name: &str| store.ports.iter().find(|(port, _)| port == name);
            Some(PostgresEndpoint {
                member: store.member.clone(),
                postgres: at("postgres")?.1.clone(),
                patroni: at("patroni")?.1.clone(),
            })
        });
        met.collect()
    }
}

impl StoreEndpoint {
    /// A member that is met at one port.
    #[must_use]
    pub fn at(member: impl Into<String>, kind: Kind, address: HostPort) -> Self {
        Self {
            member: member.into(),
            kind,
            ports: vec![("clients".to_owned(), address)],
        }
    }

    /// A member of PostgreSQL, with its Patroni.
    #[must_use]
    pub fn postgres(member: impl Into<String>, postgres: HostPort, patroni: HostPort) -> Self {
        Self {
            member: member.into(),
            kind: Kind::Postgres,
            ports: vec![("postgres".to_owned(), postgres), ("patroni".to_owned(), patroni)],
        }
    }
}
