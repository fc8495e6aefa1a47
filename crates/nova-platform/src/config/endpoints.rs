//! Where everything is met, the same on every target but for how a member is reached.

use std::collections::BTreeMap;

use super::{Site, host_ports, members};
use crate::endpoints::{Endpoints, HostPort, MemberEndpoint, PostgresEndpoint, ServiceEndpoints};
use crate::topology::Kind;

/// The stores as this site's members are met; PostgreSQL's doors and the services as the target knows them.
#[must_use]
pub fn endpoints(
    site: &dyn Site,
    primary: HostPort,
    replicas: HostPort,
    services: BTreeMap<String, ServiceEndpoints>,
) -> Endpoints {
    let spec = site.spec();
    let met = |kind: Kind, port: u16| -> Vec<MemberEndpoint> {
        let names = members(spec, kind).into_iter().map(|member| member.name);
        let met = names.zip(host_ports(site, kind, port));
        met.map(|(member, address)| MemberEndpoint { member, address })
            .collect()
    };
    let postgres = members(spec, Kind::Postgres)
        .into_iter()
        .map(|member| PostgresEndpoint {
            postgres: HostPort::new(site.host(&member), spec.postgres.port),
            patroni: HostPort::new(site.host(&member), spec.postgres.patroni_port),
            member: member.name,
        });
    Endpoints {
        etcd: met(Kind::Etcd, spec.etcd.client_port),
        postgres: postgres.collect(),
        primary,
        replicas,
        redis: met(Kind::Redis, spec.redis.port),
        sentinels: met(Kind::Sentinel, spec.redis.sentinel_port),
        kafka: met(Kind::Kafka, spec.kafka.port),
        services,
    }
}
