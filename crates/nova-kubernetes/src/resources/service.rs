//! Services: one that names the members of a StatefulSet or of a service, one a member of a store, and the doors that clients use.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use nova_platform::components::{ComponentId, facts};
use nova_platform::spec::Spec;

use super::metadata;
use crate::names::members_service;
use crate::ports;
use crate::workloads::{Workload, door_port};

/// The label that a StatefulSet gives each of its pods.
const POD_NAME: &str = "statefulset.kubernetes.io/pod-name";

/// All Services of a workload.
pub(super) fn services(spec: &Spec, workload: &Workload) -> Vec<Service> {
    let members = workload.member_names();
    let mut all = Vec::new();
    if !members.is_empty() {
        all.push(governing(spec, workload));
        all.extend(members.iter().map(|name| member(spec, workload, name)));
    }
    if is_public(spec, workload) {
        // Tells the gateway where the members are. Those that are ready and no others: HAProxy uses an address as soon as it has it,
        // before its first check.
        all.push(headless(spec, workload));
    }
    all.extend(doors(spec, workload));
    all
}

/// Whether it is a service with a door at the gateway. Nobody looks for one without.
fn is_public(spec: &Spec, workload: &Workload) -> bool {
    spec.services.get(&workload.name).is_some_and(|service| service.public)
}

/// What a StatefulSet must have: it names all pods.
fn governing(spec: &Spec, workload: &Workload) -> Service {
    let mut service = headless(spec, workload);
    if let Some(service) = &mut service.spec {
        service.publish_not_ready_addresses = Some(true);
    }
    service
}

/// Without an address of its own: its name resolves to those of the pods.
fn headless(spec: &Spec, workload: &Workload) -> Service {
    let mut service = cluster_ip(
        spec,
        workload,
        &members_service(&workload.name),
        metadata::selector(spec, &workload.name),
        same_ports(workload),
    );
    if let Some(service) = &mut service.spec {
        service.cluster_ip = Some("None".to_owned());
    }
    service
}

/// The address under which others meet one member of a store. It stays when the pod is replaced or its node is gone; and it
/// leads to the pod before that is ready, since members must meet to become so.
fn member(spec: &Spec, workload: &Workload, name: &str) -> Service {
    let selector = BTreeMap::from([(POD_NAME.to_owned(), name.to_owned())]);
    let mut service = cluster_ip(spec, workload, name, selector, same_ports(workload));
    if let Some(service) = &mut service.spec {
        service.publish_not_ready_addresses = Some(true);
    }
    metadata::annotate(
        &mut service.metadata,
        &[(
            "service-targets-pod",
            "the pod has the selected label from its StatefulSet, in whose template it cannot stand",
        )],
    );
    service
}

/// What clients use: of each workload those that people and programs look for.
fn doors(spec: &Spec, workload: &Workload) -> Vec<Service> {
    let door = |name: &str, ports| {
        let selector = metadata::selector(spec, &workload.name);
        cluster_ip(spec, workload, name, selector, ports)
    };
    let facts = facts(&workload.component);
    let groups = (facts.groups)(spec, &workload.component);
    let kind = groups
        .iter()
        .find(|group| group.prefix == workload.name)
        .map(|group| group.kind);
    let own = facts.cluster_doors.iter();
    let own = own.filter(|door| kind == Some(door.to));
    let mut all: Vec<Service> = own
        .map(|own| door(own.name, named_ports(workload, own.ports)))
        .collect();
    if workload.component == ComponentId::Gateway {
        let postgres = |target: &str| vec![port("postgres", ports::POSTGRES, target)];
        all.push(door("postgres-primary", postgres("primary")));
        all.push(door("postgres-replicas", postgres("replicas")));
        // A Service has a port at least.
        if spec.public_services().next().is_some() {
            all.push(door("gateway", to_services(spec)));
        }
    }
    if is_public(spec, workload) {
        all.push(door(&workload.name, same_ports(workload)));
    }
    all
}

/// The gateway's doors to the services: each under its service's name and port.
fn to_services(spec: &Spec) -> Vec<ServicePort> {
    let services = spec.public_services();
    services
        .map(|(name, service)| port(name, service.port, &door_port(service.port)))
        .collect()
}

fn cluster_ip(
    spec: &Spec,
    workload: &Workload,
    name: &str,
    selector: BTreeMap<String, String>,
    ports: Vec<ServicePort>,
) -> Service {
    Service {
        metadata: metadata::of_workload(spec, workload, name),
        spec: Some(ServiceSpec {
            type_: Some("ClusterIP".to_owned()),
            selector: Some(selector),
            ports: Some(ports),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}

/// These ports of the pods under their own numbers.
fn named_ports(workload: &Workload, names: &[&str]) -> Vec<ServicePort> {
    let mut all = same_ports(workload);
    all.retain(|port| port.name.as_deref().is_some_and(|name| names.contains(&name)));
    all
}

/// Every port of the pods under its own number.
fn same_ports(workload: &Workload) -> Vec<ServicePort> {
    workload
        .ports
        .iter()
        .map(|own| port(&own.name, own.number, &own.name))
        .collect()
}

fn port(name: &str, number: u16, target: &str) -> ServicePort {
    ServicePort {
        name: Some(name.to_owned()),
        port: number.into(),
        target_port: Some(IntOrString::String(target.to_owned())),
        protocol: Some("TCP".to_owned()),
        ..ServicePort::default()
    }
}
