//! Deployments: members that are alike. An update starts the new one before the old one ends.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use nova_platform::spec::Spec;

use super::{metadata, pod};
use crate::images::Images;
use crate::workloads::{Form, Workload};

/// Members more than wanted during an update.
pub(super) const SURGE: u16 = 1;
/// Old versions that a rollback can go to.
const HISTORY: i32 = 3;
/// An update that makes no progress for this long counts as failed, in seconds.
const PROGRESS_DEADLINE: i32 = 300;

/// `None` for a store.
pub(super) fn deployment(spec: &Spec, workload: &Workload, images: &Images) -> Option<Deployment> {
    let Form::Stateless { .. } = workload.form else {
        return None;
    };
    let mut metadata = metadata::of_workload(spec, workload, &workload.name);
    metadata::annotate(&mut metadata, &pod::exceptions(workload));
    Some(Deployment {
        metadata,
        spec: Some(DeploymentSpec {
            // Where load decides, nobody else may own the number.
            replicas: (!workload.is_scaled()).then(|| workload.members.into()),
            selector: metadata::label_selector(spec, &workload.name),
            strategy: Some(DeploymentStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: Some(RollingUpdateDeployment {
                    max_unavailable: Some(IntOrString::Int(0)),
                    max_surge: Some(IntOrString::Int(SURGE.into())),
                }),
            }),
            revision_history_limit: Some(HISTORY),
            progress_deadline_seconds: Some(PROGRESS_DEADLINE),
            template: pod::template(spec, workload, images),
            ..DeploymentSpec::default()
        }),
        status: None,
    })
}
