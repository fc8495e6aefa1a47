//! Namespaces, in which the cluster refuses any pod that does not meet the strictest of its standards.

use k8s_openapi::api::core::v1::Namespace;
use nova_platform::spec::Spec;

use super::metadata;
use crate::names::Area;

pub(super) fn namespace(spec: &Spec, area: Area) -> Namespace {
    let mut metadata = metadata::of_platform(spec, &area.namespace(spec));
    let labels = metadata.labels.get_or_insert_default();
    for mode in ["enforce", "audit", "warn"] {
        labels.insert(format!("pod-security.kubernetes.io/{mode}"), "restricted".to_owned());
        labels.insert(
            format!("pod-security.kubernetes.io/{mode}-version"),
            "latest".to_owned(),
        );
    }
    Namespace {
        metadata,
        ..Namespace::default()
    }
}
