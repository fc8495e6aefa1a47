//! StatefulSets: members of a store, each with its name, its volume and its place.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{
    StatefulSet, StatefulSetOrdinals, StatefulSetPersistentVolumeClaimRetentionPolicy, StatefulSetSpec,
    StatefulSetUpdateStrategy,
};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimSpec, VolumeResourceRequirements};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use nova_platform::spec::Spec;

use super::{metadata, pod, quantity};
use crate::images::Images;
use crate::names::members_service;
use crate::workloads::{Form, Workload};

/// Old versions that a rollback can go to.
const HISTORY: i32 = 3;

/// `None` for a workload without state.
pub(super) fn stateful_set(spec: &Spec, workload: &Workload, images: &Images) -> Option<StatefulSet> {
    let Form::Store { volume, settle } = workload.form else {
        return None;
    };
    let mut metadata = metadata::of_workload(spec, workload, &workload.name);
    metadata::annotate(&mut metadata, &pod::exceptions(workload));
    let keep = || Some("Retain".to_owned());
    Some(StatefulSet {
        metadata,
        spec: Some(StatefulSetSpec {
            replicas: Some(workload.members.into()),
            // A pod's name is then its member's: they count from 1.
            ordinals: Some(StatefulSetOrdinals { start: Some(1) }),
            service_name: Some(members_service(&workload.name)),
            selector: metadata::label_selector(spec, &workload.name),
            // Members need each other to become ready: one after another, the first would wait for ever.
            pod_management_policy: Some("Parallel".to_owned()),
            update_strategy: Some(StatefulSetUpdateStrategy {
                type_: Some("RollingUpdate".to_owned()),
                ..StatefulSetUpdateStrategy::default()
            }),
            min_ready_seconds: (settle > 0).then(|| settle.into()),
            revision_history_limit: Some(HISTORY),
            persistent_volume_claim_retention_policy: Some(StatefulSetPersistentVolumeClaimRetentionPolicy {
                when_deleted: keep(),
                when_scaled: keep(),
            }),
            template: pod::template(spec, workload, images),
            volume_claim_templates: Some(vec![claim(spec, workload, volume.bytes())]),
        }),
        status: None,
    })
}

fn claim(spec: &Spec, workload: &Workload, bytes: u64) -> PersistentVolumeClaim {
    let class = &spec.kubernetes.storage_class;
    PersistentVolumeClaim {
        metadata: ObjectMeta {
            name: Some(pod::DATA_VOLUME.to_owned()),
            labels: Some(metadata::lasting(spec, workload)),
            ..ObjectMeta::default()
        },
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
            storage_class_name: (!class.is_empty()).then(|| class.clone()),
            resources: Some(VolumeResourceRequirements {
                requests: Some(BTreeMap::from([("storage".to_owned(), quantity::bytes(bytes))])),
                limits: None,
            }),
            ..PersistentVolumeClaimSpec::default()
        }),
        status: None,
    }
}
