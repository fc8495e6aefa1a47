//! Where members are met inside the cluster: stores by the Services of their members, services through the gateway and by their
//! pods as they are now.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use nova_platform::components::ComponentId;
use nova_platform::config::endpoints;
use nova_platform::config::service::OPERATIONS_OFFSET;
use nova_platform::endpoints::{Endpoints, HostPort, ServiceEndpoints, ServiceMemberEndpoint};
use nova_platform::spec::Spec;

use super::KubernetesTarget;
use super::inspect::Seen;
use crate::names::{Area, service_host};
use crate::ports::POSTGRES;
use crate::workloads::ClusterSite;

impl KubernetesTarget {
    /// Where the checks of one component meet what they need. Only a service's own checks know where its members are, and the
    /// gateway's that it has a door to each service: so those of the stores and of the gateway stay the same, with their
    /// connections, however pods come and go.
    ///
    /// # Errors
    /// In words, when the API server does not say which pods there are.
    pub async fn endpoints_of(&self, component: &ComponentId) -> Result<Endpoints, String> {
        if *component == ComponentId::Gateway {
            return Ok(Endpoints {
                services: services(&self.spec, &[]),
                ..stores(&self.spec)
            });
        }
        let ComponentId::Service(service) = component else {
            return Ok(stores(&self.spec));
        };
        let pods = self
            .list_area(Area::Services)
            .await
            .map_err(|error| error.to_string())?;
        let mut endpoints = stores(&self.spec);
        endpoints.services = services(&self.spec, &pods);
        endpoints.services.retain(|name, _| **name == **service);
        Ok(endpoints)
    }

    /// With the services' pods as they were last listed.
    pub(super) fn last_endpoints(&self) -> Endpoints {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        Endpoints {
            services: services(&self.spec, &seen),
            ..stores(&self.spec)
        }
    }
}

/// The stores and the gateway; no services.
fn stores(spec: &Spec) -> Endpoints {
    let door = |name: &str| HostPort::new(service_host(spec, Area::Database, name), POSTGRES);
    endpoints(
        &ClusterSite(spec),
        door("postgres-primary"),
        door("postgres-replicas"),
        BTreeMap::new(),
    )
}

fn services(spec: &Spec, seen: &[Seen]) -> BTreeMap<String, ServiceEndpoints> {
    let service = |(name, service): (&String, &nova_platform::spec::ServiceSpec)| {
        let members = seen.iter().filter(|pod| pod.member.component.as_str() == name);
        let members = members.filter_map(|pod| {
            let ip = pod.ip.clone()?;
            Some(ServiceMemberEndpoint {
                member: pod.member.name.clone(),
                api: HostPort::new(ip.clone(), service.port),
                operations: HostPort::new(ip, service.port + OPERATIONS_OFFSET),
            })
        });
        let endpoints = ServiceEndpoints {
            gateway: service
                .public
                .then(|| HostPort::new(service_host(spec, Area::Database, "gateway"), service.port)),
            members: members.collect(),
        };
        (name.clone(), endpoints)
    };
    spec.services.iter().map(service).collect()
}

#[cfg(test)]
mod tests {
    use super::services;
    use nova_platform::load::load;

    /// Clients of a drill and checks must come through what repeats requests, as applications do.
    #[test]
    fn services_are_met_at_the_gateway() {
        let spec = load(None).expect("the defaults").spec;
        let all = services(&spec, &[]);
        let at = |name: &str| all[name].gateway.as_ref().map(ToString::to_string).unwrap_or_default();
        assert_eq!(at("user-service"), "gateway.nova-database.svc.cluster.local:8080");
        assert_eq!(at("auth-service"), "gateway.nova-database.svc.cluster.local:8084");
        assert!(all.values().all(|service| service.members.is_empty()));
    }
}
