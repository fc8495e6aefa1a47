//! On which nodes members run: those of a store each on a node of its own, whatever it takes; all others apart where possible.

use k8s_openapi::api::core::v1::{
    Affinity, PodAffinityTerm, PodAntiAffinity, Toleration, TopologySpreadConstraint, WeightedPodAffinityTerm,
};
use nova_platform::spec::Spec;

use super::metadata::label_selector;
use crate::workloads::{Form, Workload};

const NODE: &str = "kubernetes.io/hostname";
const ZONE: &str = "topology.kubernetes.io/zone";

/// A node must be gone for this long before what has no state is started elsewhere; the cluster's default is five minutes.
const NODE_LOST_SECONDS: i64 = 20;

pub(super) fn affinity(spec: &Spec, workload: &Workload) -> Affinity {
    let term = PodAffinityTerm {
        label_selector: Some(label_selector(spec, &workload.name)),
        topology_key: NODE.to_owned(),
        ..PodAffinityTerm::default()
    };
    let apart = match workload.form {
        Form::Store { .. } => PodAntiAffinity {
            required_during_scheduling_ignored_during_execution: Some(vec![term]),
            ..PodAntiAffinity::default()
        },
        Form::Stateless { .. } => PodAntiAffinity {
            preferred_during_scheduling_ignored_during_execution: Some(vec![WeightedPodAffinityTerm {
                weight: 100,
                pod_affinity_term: term,
            }]),
            ..PodAntiAffinity::default()
        },
    };
    Affinity {
        pod_anti_affinity: Some(apart),
        ..Affinity::default()
    }
}

/// A cluster without zones is one zone.
pub(super) fn zones(spec: &Spec, workload: &Workload) -> TopologySpreadConstraint {
    TopologySpreadConstraint {
        max_skew: 1,
        topology_key: ZONE.to_owned(),
        when_unsatisfiable: "ScheduleAnyway".to_owned(),
        label_selector: Some(label_selector(spec, &workload.name)),
        ..TopologySpreadConstraint::default()
    }
}

/// A member of a store has its data on its node or in its zone and waits for it; anything else goes on elsewhere soon.
pub(super) fn tolerations(workload: &Workload) -> Option<Vec<Toleration>> {
    let Form::Stateless { .. } = workload.form else {
        return None;
    };
    let until = |key: &str| Toleration {
        key: Some(format!("node.kubernetes.io/{key}")),
        operator: Some("Exists".to_owned()),
        effect: Some("NoExecute".to_owned()),
        toleration_seconds: Some(NODE_LOST_SECONDS),
        value: None,
    };
    Some(["not-ready", "unreachable"].map(until).into())
}
