//! Disruption budgets: a drain takes one member of each workload at a time.

use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use nova_platform::spec::Spec;

use super::metadata;
use crate::workloads::{Form, Workload};

pub(super) fn budget(spec: &Spec, workload: &Workload) -> PodDisruptionBudget {
    // A broken pod without state is in nobody's way. A store's may hold the only copy of what a healthy one is fetching.
    let unhealthy = match workload.form {
        Form::Store { .. } => None,
        Form::Stateless { .. } => Some("AlwaysAllow".to_owned()),
    };
    PodDisruptionBudget {
        metadata: metadata::of_workload(spec, workload, &workload.name),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(metadata::label_selector(spec, &workload.name)),
            unhealthy_pod_eviction_policy: unhealthy,
            min_available: None,
        }),
        status: None,
    }
}
