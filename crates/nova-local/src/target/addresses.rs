//! Where members are met: nodes are addresses of one loopback network, users meet the gateway's.

use nova_platform::endpoints::{
    Endpoints, HostPort, MemberEndpoint, PostgresEndpoint, ServiceEndpoints, ServiceMemberEndpoint,
};
use nova_platform::spec::Spec;
use nova_platform::topology::{Kind, Member, components};

use crate::members::{OPERATIONS_OFFSET, address};

/// Where everything is met.
pub(super) fn endpoints(spec: &Spec) -> Endpoints {
    let components = components(spec);
    let of_kind = |kind: Kind| {
        components
            .iter()
            .flat_map(|component| &component.members)
            .filter(move |member| member.kind == kind)
    };
    let at = |member: &Member, port: u16| HostPort::new(address(spec, member), port);
    let endpoints_of = |kind: Kind, port: u16| -> Vec<MemberEndpoint> {
        let one = |member: &Member| MemberEndpoint {
            member: member.name.clone(),
            address: at(member, port),
        };
        of_kind(kind).map(one).collect()
    };
    let gateway = |port: u16| HostPort::new(spec.local.gateway_address.clone(), port);
    let postgres = |member: &Member| PostgresEndpoint {
        member: member.name.clone(),
        postgres: at(member, spec.postgres.port),
        patroni: at(member, spec.postgres.patroni_port),
    };
    let services = spec.services.iter().map(|(name, service)| {
        let one = |member: &Member| ServiceMemberEndpoint {
            member: member.name.clone(),
            api: at(member, service.port),
            operations: at(member, service.port.saturating_add(OPERATIONS_OFFSET)),
        };
        let members = of_kind(Kind::Service)
            .filter(|member| member.component.as_str() == name)
            .map(one)
            .collect();
        let endpoints = ServiceEndpoints {
            gateway: gateway(service.port),
            members,
        };
        (name.clone(), endpoints)
    });
    Endpoints {
        etcd: endpoints_of(Kind::Etcd, spec.etcd.client_port),
        postgres: of_kind(Kind::Postgres).map(postgres).collect(),
        primary: gateway(spec.gateway.primary_port),
        replicas: gateway(spec.gateway.replicas_port),
        redis: endpoints_of(Kind::Redis, spec.redis.port),
        sentinels: endpoints_of(Kind::Sentinel, spec.redis.sentinel_port),
        kafka: endpoints_of(Kind::Kafka, spec.kafka.port),
        services: services.collect(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

    #[test]
    fn nodes_carry_members_and_users_meet_the_gateway() {
        let spec = nova_platform::load::load(None).unwrap().spec;
        let endpoints = super::endpoints(&spec);
        assert_eq!(endpoints.postgres[1].patroni.to_string(), "127.77.0.2:8008");
        assert_eq!(endpoints.sentinels[2].address.to_string(), "127.77.0.3:26379");
        assert_eq!(endpoints.primary.to_string(), "127.0.0.1:15432");
        let users = &endpoints.services["user-service"];
        assert_eq!(users.gateway.to_string(), "127.0.0.1:8080");
        assert_eq!(users.members[2].operations.to_string(), "127.77.0.3:9080");
    }
}
