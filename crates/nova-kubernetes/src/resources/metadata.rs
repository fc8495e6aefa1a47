//! Names, labels and annotations: the same on everything that nova applies.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use nova_platform::components::ComponentId;
use nova_platform::spec::Spec;

use crate::names::{Area, MANAGER, PART_OF};
use crate::workloads::Workload;

const NAME: &str = "app.kubernetes.io/name";
const INSTANCE: &str = "app.kubernetes.io/instance";

/// Labels by name.
pub(super) type Labels = BTreeMap<String, String>;

/// A check that kube-score must not make of an object, such as `container-image-pull-policy`, and why it does not fit.
pub(super) type Exception = (&'static str, &'static str);

/// Name, namespace and labels of what is made for one workload.
pub(super) fn of_workload(spec: &Spec, workload: &Workload, name: impl Into<String>) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.into()),
        namespace: Some(workload.area.namespace(spec)),
        labels: Some(versioned(lasting(spec, workload))),
        ..ObjectMeta::default()
    }
}

/// Name, namespace and labels of what belongs to a namespace as a whole.
pub(super) fn of_area(spec: &Spec, area: Area, name: &str) -> ObjectMeta {
    ObjectMeta {
        namespace: Some(area.namespace(spec)),
        ..of_platform(spec, name)
    }
}

/// Name and labels of what is in no namespace.
pub(super) fn of_platform(spec: &Spec, name: &str) -> ObjectMeta {
    let labels = shared(spec, ComponentId::Foundation.as_str(), &ComponentId::Foundation);
    ObjectMeta {
        name: Some(name.to_owned()),
        labels: Some(versioned(labels)),
        ..ObjectMeta::default()
    }
}

/// The labels of a workload's pods and volumes. Without the version of nova, which would replace every pod when it changes,
/// and which a volume claim of a StatefulSet cannot change.
pub(super) fn lasting(spec: &Spec, workload: &Workload) -> Labels {
    shared(spec, &workload.name, &workload.component)
}

/// What selects a workload's pods.
pub(super) fn selector(spec: &Spec, name: &str) -> Labels {
    labels([(NAME, name), (INSTANCE, &spec.platform.name)])
}

/// The same as Deployments, budgets and policies take it.
pub(super) fn label_selector(spec: &Spec, name: &str) -> LabelSelector {
    LabelSelector {
        match_labels: Some(selector(spec, name)),
        match_expressions: None,
    }
}

/// Writes exceptions down on an object, each with its reason.
pub(super) fn annotate(metadata: &mut ObjectMeta, exceptions: &[Exception]) {
    if exceptions.is_empty() {
        return;
    }
    let annotations = metadata.annotations.get_or_insert_default();
    let checks: Vec<&str> = exceptions.iter().map(|(check, _)| *check).collect();
    annotations.insert("kube-score/ignore".to_owned(), checks.join(","));
    for (check, reason) in exceptions {
        annotations.insert(format!("nova/reason-{check}"), (*reason).to_owned());
    }
}

fn shared(spec: &Spec, name: &str, component: &ComponentId) -> Labels {
    labels([
        (NAME, name),
        (INSTANCE, &spec.platform.name),
        ("app.kubernetes.io/component", component.as_str()),
        ("app.kubernetes.io/part-of", PART_OF),
        ("app.kubernetes.io/managed-by", MANAGER),
    ])
}

fn versioned(mut labels: Labels) -> Labels {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    labels.insert("app.kubernetes.io/version".to_owned(), version);
    labels
}

fn labels<const N: usize>(pairs: [(&str, &str); N]) -> Labels {
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into_iter()
        .collect()
}
