//! Where members are met: nodes are addresses of one loopback network, users meet the gateway's.

use nova_platform::config;
use nova_platform::endpoints::{Endpoints, HostPort, ServiceEndpoints, ServiceMemberEndpoint};
use nova_platform::spec::Spec;
use nova_platform::topology::{Kind, Member};

use crate::members::{OPERATIONS_OFFSET, address};

/// This machine, as the configuration of members sees it: each is met where it listens.
struct Met<'a>(&'a Spec);

impl config::Site for Met<'_> {
    fn spec(&self) -> &Spec {
        self.0
    }

    fn host(&self, member: &Member) -> String {
        address(self.0, member)
    }

    fn bind(&self, member: &Member) -> String {
        address(self.0, member)
    }
}

/// Where everything is met.
pub(super) fn endpoints(spec: &Spec) -> Endpoints {
    let gateway = |port: u16| HostPort::new(spec.local.gateway_address.clone(), port);
    let all = config::members(spec, Kind::Service);
    let services = spec.services.iter().map(|(name, service)| {
        let at = |member: &Member, port: u16| HostPort::new(address(spec, member), port);
        let one = |member: &Member| ServiceMemberEndpoint {
            member: member.name.clone(),
            api: at(member, service.port),
            operations: at(member, service.port.saturating_add(OPERATIONS_OFFSET)),
        };
        let own = all.iter().filter(|member| member.component.as_str() == name);
        let endpoints = ServiceEndpoints {
            gateway: service.public.then(|| gateway(service.port)),
            members: own.map(one).collect(),
        };
        (name.clone(), endpoints)
    });
    config::endpoints(
        &Met(spec),
        gateway(spec.gateway.primary_port),
        gateway(spec.gateway.replicas_port),
        services.collect(),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

    use nova_platform::topology::Kind;

    #[test]
    fn nodes_carry_members_and_users_meet_the_gateway() {
        let spec = nova_platform::load::load(None).unwrap().spec;
        let endpoints = super::endpoints(&spec);
        assert_eq!(endpoints.postgres()[1].patroni.to_string(), "127.77.0.2:8008");
        assert_eq!(endpoints.of(Kind::Sentinel)[2].address.to_string(), "127.77.0.3:26379");
        assert_eq!(endpoints.primary.to_string(), "127.0.0.1:15432");
        let users = &endpoints.services["user-service"];
        assert_eq!(
            users.gateway,
            Some(nova_platform::endpoints::HostPort::new("127.0.0.1", 8080))
        );
        assert_eq!(users.members[2].operations.to_string(), "127.77.0.3:9080");
    }
}
