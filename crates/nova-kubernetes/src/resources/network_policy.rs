//! Network policies: nothing may connect to anything, but for the flows of the table and the question for a name.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort,
    NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use nova_platform::spec::Spec;

use super::flows::{Flow, From, flows};
use super::metadata;
use crate::names::Area;
use crate::workloads::Workload;

const DNS_PORT: u16 = 53;

/// All policies: two a namespace, and one a workload.
pub(super) fn policies(spec: &Spec, workloads: &[Workload]) -> Vec<NetworkPolicy> {
    let flows = flows(spec, workloads);
    let of_areas = Area::ALL
        .into_iter()
        .flat_map(|area| [deny(spec, area), dns(spec, area)]);
    let of_workloads = workloads
        .iter()
        .map(|workload| allow(spec, workloads, workload, &flows));
    of_areas.chain(of_workloads).collect()
}

fn deny(spec: &Spec, area: Area) -> NetworkPolicy {
    policy(
        metadata::of_area(spec, area, "default-deny"),
        LabelSelector::default(),
        Some(Vec::new()),
        Some(Vec::new()),
    )
}

/// Names are asked for at port 53 of any address. Where a cluster's DNS is differs: pods of kube-system behind a Service, a
/// daemon on the node (169.254.20.10), or a resolver outside the cluster altogether; and some network plug-ins look at a
/// Service's address before it is translated, others after. A rule that names one of them would break names elsewhere, and
/// with them everything.
fn dns(spec: &Spec, area: Area) -> NetworkPolicy {
    let ask = NetworkPolicyEgressRule {
        to: None,
        ports: Some(["UDP", "TCP"].map(|protocol| port(protocol, DNS_PORT)).into()),
    };
    policy(
        metadata::of_area(spec, area, "allow-dns"),
        LabelSelector::default(),
        None,
        Some(vec![ask]),
    )
}

/// What one workload's pods may accept and open.
fn allow(spec: &Spec, workloads: &[Workload], workload: &Workload, flows: &[Flow]) -> NetworkPolicy {
    let into = flows
        .iter()
        .filter(|flow| flow.to == workload.name)
        .map(|flow| NetworkPolicyIngressRule {
            // Without peers it is everyone.
            from: match &flow.from {
                From::Anyone => None,
                From::Pods(name) => Some(peers(spec, workloads, name)),
            },
            ports: Some(ports(flow)),
        });
    let out = flows
        .iter()
        .filter(|flow| flow.from == From::Pods(workload.name.clone()))
        .map(|flow| NetworkPolicyEgressRule {
            to: Some(peers(spec, workloads, &flow.to)),
            ports: Some(ports(flow)),
        });
    policy(
        metadata::of_workload(spec, workload, &workload.name),
        metadata::label_selector(spec, &workload.name),
        Some(into.collect()),
        Some(out.collect()),
    )
}

/// The pods of a workload. A list with nothing in it would be everyone: of a workload that there is not, it is nobody.
fn peers(spec: &Spec, workloads: &[Workload], name: &str) -> Vec<NetworkPolicyPeer> {
    let area = workloads
        .iter()
        .find(|workload| workload.name == name)
        .map_or(Area::System, |workload| workload.area);
    let namespace = BTreeMap::from([("kubernetes.io/metadata.name".to_owned(), area.namespace(spec))]);
    vec![NetworkPolicyPeer {
        namespace_selector: Some(LabelSelector {
            match_labels: Some(namespace),
            match_expressions: None,
        }),
        pod_selector: Some(metadata::label_selector(spec, name)),
        ip_block: None,
    }]
}

fn ports(flow: &Flow) -> Vec<NetworkPolicyPort> {
    flow.ports.iter().map(|number| port("TCP", *number)).collect()
}

fn port(protocol: &str, number: u16) -> NetworkPolicyPort {
    NetworkPolicyPort {
        protocol: Some(protocol.to_owned()),
        port: Some(IntOrString::Int(number.into())),
        end_port: None,
    }
}

/// A direction that is `None` is not this policy's concern; an empty one is closed.
fn policy(
    metadata: k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta,
    pods: LabelSelector,
    ingress: Option<Vec<NetworkPolicyIngressRule>>,
    egress: Option<Vec<NetworkPolicyEgressRule>>,
) -> NetworkPolicy {
    let types = [("Ingress", ingress.is_some()), ("Egress", egress.is_some())];
    let types = types.into_iter().filter(|(_, concerns)| *concerns);
    NetworkPolicy {
        metadata,
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(pods),
            policy_types: Some(types.map(|(name, _)| name.to_owned()).collect()),
            // An empty list is what is left out: the types say that the direction is closed.
            ingress: ingress.filter(|rules| !rules.is_empty()),
            egress: egress.filter(|rules| !rules.is_empty()),
        }),
    }
}
