//! Where everything is met, the same on every target but for how a member is reached.

use std::collections::BTreeMap;

use super::Site;
use crate::components::{ComponentId, ports_of_kind};
use crate::endpoints::{Endpoints, HostPort, ServiceEndpoints, StoreEndpoint};
use crate::topology::{self, Member};

/// The stores as this site's members are met; PostgreSQL's doors and the services as the target knows them.
#[must_use]
pub fn endpoints(
    site: &dyn Site,
    primary: HostPort,
    replicas: HostPort,
    services: BTreeMap<String, ServiceEndpoints>,
) -> Endpoints {
    // The gateway is met at its doors.
    let is_store = |id: &ComponentId| ComponentId::OWN.contains(id) && *id != ComponentId::Gateway;
    let components = topology::components(site.spec()).into_iter();
    let members = components
        .filter(|component| is_store(&component.id))
        .flat_map(|component| component.members);
    Endpoints {
        stores: members.map(|member| store(site, member)).collect(),
        primary,
        replicas,
        services,
    }
}

fn store(site: &dyn Site, member: Member) -> StoreEndpoint {
    let ports = ports_of_kind(site.spec(), &member.component, member.kind).into_iter();
    let met = ports.map(|port| (port.name.into_owned(), HostPort::new(site.host(&member), port.number)));
    StoreEndpoint {
        ports: met.collect(),
        kind: member.kind,
        member: member.name,
    }
}
