//! ConfigMaps: the files of a workload's members. They hold no secrets.

use std::fmt::Write as _;

use k8s_openapi::api::core::v1::ConfigMap;
use nova_platform::spec::Spec;
use sha2::{Digest, Sha256};

use super::metadata;
use crate::workloads::Workload;

/// A ConfigMap's name; `None` when the workload has no files.
pub(super) fn name(workload: &Workload) -> Option<String> {
    (!workload.config.is_empty()).then(|| format!("{}-config", workload.name))
}

pub(super) fn config_map(spec: &Spec, workload: &Workload) -> Option<ConfigMap> {
    Some(ConfigMap {
        metadata: metadata::of_workload(spec, workload, name(workload)?),
        data: Some(workload.config.clone()),
        ..ConfigMap::default()
    })
}

/// The sha256 of the files that a running member depends on: in a pod template it replaces the pods when one changes. `None`
/// when the workload has no files.
pub(super) fn digest(workload: &Workload) -> Option<String> {
    name(workload)?;
    let mut hash = Sha256::new();
    for (file, content) in &workload.config {
        if !workload.config_once.contains(&file.as_str()) {
            // Lengths in front, so that no two sets of files look the same.
            for part in [file, content] {
                hash.update(part.len().to_le_bytes());
                hash.update(part);
            }
        }
    }
    Some(hash.finalize().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}
