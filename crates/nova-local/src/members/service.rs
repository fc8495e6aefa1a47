//! A member of a Nova service: the program as built, told by its environment where everything is.

use std::net::IpAddr;

use nova_platform::config::service::{Surroundings, environment};
use nova_platform::endpoints::HostPort;
use nova_platform::topology::Member;

use super::{OPERATIONS_OFFSET, PlanError, Site, address, base_plan, ports};
use crate::plan::MemberPlan;

pub(super) fn plan(site: &Site<'_>, member: &Member) -> Result<MemberPlan, PlanError> {
    let missing = || PlanError::NoProgram(member.component.to_string());
    let service = site.spec.services.get(member.component.as_str()).ok_or_else(missing)?;
    let program = site.services.get(member.component.as_str()).ok_or_else(missing)?;
    let own = address(site.spec, member);
    let (api, operations) = (
        HostPort::new(&own, service.port),
        HostPort::new(&own, service.port + OPERATIONS_OFFSET),
    );
    let (gateway, doors) = (&site.spec.local.gateway_address, &site.spec.gateway);
    // Services call each other through the gateway, as everyone does.
    let door = |name: &str| {
        let port = site.spec.services.get(name).map_or(0, |other| other.port);
        format!("http://{gateway}:{port}")
    };
    let env = environment(
        site,
        member.component.as_str(),
        &Surroundings {
            listen: &api,
            operations_listen: &operations,
            primary: &HostPort::new(gateway, doors.primary_port),
            replicas: &HostPort::new(gateway, doors.replicas_port),
            door: &door,
            secret_file: &|name| site.secret_file(name).display().to_string(),
            // Members share the machine here. More hashes at a time than cores take turns, and each turn begins with another
            // hash's 19 MiB in the caches.
            hash_threads: site.cores / usize::from(service.members).max(1),
        },
    );
    let mut plan = base_plan(member, program);
    plan.env.extend(env);
    if let Ok(gateway) = gateway.parse::<IpAddr>() {
        // From there the gateway connects, and names the client that it has seen. Nobody else is believed.
        let alone = if gateway.is_ipv4() { 32 } else { 128 };
        let trusted = plan.env.entry("NOVA_TRUSTED_PROXIES".to_owned());
        trusted.or_insert_with(|| format!("{gateway}/{alone}"));
    }
    plan.ports = ports(site.spec, member);
    Ok(plan)
}
