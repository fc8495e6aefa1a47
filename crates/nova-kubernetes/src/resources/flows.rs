//! Who talks to whom: the one table that network policies are made from. What does not stand here cannot connect.

use nova_platform::components::{ComponentId, Kind, facts, ports_of_kind};
use nova_platform::spec::{ServiceSpec, Spec};
use nova_platform::uses;

use crate::workloads::Workload;

/// Who opens a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum From {
    /// Whoever can reach the pod: an ingress, users of other namespaces.
    Anyone,
    /// Pods of this workload.
    Pods(String),
}

/// One line of the table: connections to ports of a workload's pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Flow {
    /// Who opens them.
    pub(super) from: From,
    /// The workload that they go to.
    pub(super) to: String,
    /// The ports of its pods; a Service's own port is translated before a policy looks.
    pub(super) ports: Vec<u16>,
}

const GATEWAY: ComponentId = ComponentId::Gateway;

/// All flows, by the workload that they go to.
pub(super) fn flows(spec: &Spec, all: &[Workload]) -> Vec<Flow> {
    let gateway = &spec.gateway;
    let to_postgres = [gateway.primary_port, gateway.replicas_port];
    let to_services: Vec<u16> = spec.public_services().map(|(_, service)| service.port).collect();
    let mut flows = Vec::new();
    for id in ComponentId::OWN {
        let callers = facts(&id).callers.iter();
        flows.extend(callers.map(|caller| {
            flow(
                caller.from,
                &name_of(spec, &id, caller.to),
                &numbers(spec, &id, caller.to, caller.ports),
            )
        }));
    }
    // A drill's clients run beside the agent, and come through the doors as everyone does.
    flows.push(flow(
        "agent",
        GATEWAY.as_str(),
        &[&to_postgres, &to_services[..]].concat(),
    ));
    // Without ports it would be all of them.
    if !to_services.is_empty() {
        flows.push(Flow {
            from: From::Anyone,
            ..flow("", GATEWAY.as_str(), &to_services)
        });
    }
    for (name, service) in &spec.services {
        flows.extend(out_of(spec, name, service));
        flows.extend(into(name, service, all));
    }
    flows
}

/// What a service connects to: what it uses and nothing else.
fn out_of(spec: &Spec, name: &str, service: &ServiceSpec) -> Vec<Flow> {
    let (at_gateway, at_stores): (Vec<_>, Vec<_>) = uses::served(service).partition(|served| served.of == GATEWAY);
    let doors = at_gateway
        .into_iter()
        .flat_map(|served| numbers(spec, &served.of, served.to, served.ports));
    // Services call each other through the gateway.
    let called = uses::called(service).filter_map(|other| spec.services.get(other));
    let doors: Vec<u16> = doors.chain(called.map(|other| other.port)).collect();
    let mut flows = Vec::new();
    // Without ports it would be all of them.
    if !doors.is_empty() {
        flows.push(flow(name, GATEWAY.as_str(), &doors));
    }
    flows.extend(at_stores.into_iter().map(|served| {
        flow(
            name,
            &name_of(spec, &served.of, served.to),
            &numbers(spec, &served.of, served.to, served.ports),
        )
    }));
    flows
}

/// Who connects to a service's members.
fn into(name: &str, service: &ServiceSpec, all: &[Workload]) -> Vec<Flow> {
    let own = all.iter().filter(|workload| workload.name == name);
    let ports: Vec<u16> = own
        .flat_map(|workload| &workload.ports)
        .map(|port| port.number)
        .collect();
    if !service.public {
        // The checks ask it at its operations port.
        let operations: Vec<u16> = ports.into_iter().filter(|port| *port != service.port).collect();
        return vec![flow("agent", name, &operations)];
    }
    let anyone = Flow {
        from: From::Anyone,
        ..flow("", name, &[service.port])
    };
    // The gateway passes requests on, and asks each member whether it is ready.
    let mut flows = vec![anyone];
    flows.extend(["gateway", "agent"].map(|from| flow(from, name, &ports)));
    flows
}

/// The workload of members of a kind.
fn name_of(spec: &Spec, id: &ComponentId, kind: Kind) -> String {
    let groups = (facts(id).groups)(spec, id);
    let group = groups.into_iter().find(|group| group.kind == kind);
    group.map_or_else(|| id.to_string(), |group| group.prefix)
}

/// The numbers of these ports.
fn numbers(spec: &Spec, id: &ComponentId, kind: Kind, names: &[&str]) -> Vec<u16> {
    let all = ports_of_kind(spec, id, kind);
    let number = |name: &&str| all.iter().find(|port| port.name == **name).map(|port| port.number);
    names.iter().filter_map(number).collect()
}

fn flow(from: &str, to: &str, ports: &[u16]) -> Flow {
    Flow {
        from: From::Pods(from.to_owned()),
        to: to.to_owned(),
        ports: ports.to_vec(),
    }
}
