//! Autoscalers: up at once when load comes, down slowly when it is gone.

use k8s_openapi::api::autoscaling::v2::{
    CrossVersionObjectReference, HPAScalingPolicy, HPAScalingRules, HorizontalPodAutoscaler,
    HorizontalPodAutoscalerBehavior, HorizontalPodAutoscalerSpec, MetricSpec, MetricTarget, ResourceMetricSource,
};
use nova_platform::spec::Spec;

use super::metadata;
use crate::workloads::Workload;

/// Use, in percent of what is asked for, that the number of members is kept at.
const CPU_PERCENT: i32 = 70;
const MEMORY_PERCENT: i32 = 80;
/// Load must have been lower for this long before a member goes, in seconds.
const DOWN_AFTER: i32 = 300;

/// `None` for a workload that load does not change.
pub(super) fn autoscaler(spec: &Spec, workload: &Workload) -> Option<HorizontalPodAutoscaler> {
    workload.is_scaled().then(|| HorizontalPodAutoscaler {
        metadata: metadata::of_workload(spec, workload, &workload.name),
        spec: Some(HorizontalPodAutoscalerSpec {
            scale_target_ref: CrossVersionObjectReference {
                api_version: Some("apps/v1".to_owned()),
                kind: "Deployment".to_owned(),
                name: workload.name.clone(),
            },
            min_replicas: Some(workload.members.into()),
            max_replicas: workload.members_max().into(),
            metrics: Some(vec![metric("cpu", CPU_PERCENT), metric("memory", MEMORY_PERCENT)]),
            behavior: Some(HorizontalPodAutoscalerBehavior {
                scale_up: Some(HPAScalingRules {
                    stabilization_window_seconds: Some(0),
                    select_policy: Some("Max".to_owned()),
                    policies: Some(vec![policy("Percent", 100, 15), policy("Pods", 4, 15)]),
                    ..HPAScalingRules::default()
                }),
                scale_down: Some(HPAScalingRules {
                    stabilization_window_seconds: Some(DOWN_AFTER),
                    select_policy: Some("Max".to_owned()),
                    policies: Some(vec![policy("Pods", 1, 60)]),
                    ..HPAScalingRules::default()
                }),
            }),
        }),
        status: None,
    })
}

fn metric(resource: &str, percent: i32) -> MetricSpec {
    MetricSpec {
        type_: "Resource".to_owned(),
        resource: Some(ResourceMetricSource {
            name: resource.to_owned(),
            target: MetricTarget {
                type_: "Utilization".to_owned(),
                average_utilization: Some(percent),
                ..MetricTarget::default()
            },
        }),
        ..MetricSpec::default()
    }
}

fn policy(kind: &str, value: i32, seconds: i32) -> HPAScalingPolicy {
    HPAScalingPolicy {
        type_: kind.to_owned(),
        value,
        period_seconds: seconds,
    }
}
