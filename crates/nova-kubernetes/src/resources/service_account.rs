//! Service accounts: one a workload, none with a token, since nothing of Nova's talks to the API server from inside.

use k8s_openapi::api::core::v1::ServiceAccount;
use nova_platform::spec::Spec;

use super::metadata;
use crate::workloads::Workload;

pub(super) fn service_account(spec: &Spec, workload: &Workload) -> ServiceAccount {
    ServiceAccount {
        metadata: metadata::of_workload(spec, workload, &workload.name),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}
