//! The note of what was deployed last, in the cluster.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{Patch, PatchParams};
use nova_platform::transition::Deployed;
use serde_json::json;

use super::{KubernetesError, KubernetesTarget};
use crate::names::{Area, MANAGER};

/// The ConfigMap, in [`Area::System`].
const NOTE: &str = "nova-deployed";
/// Its key.
const TEXT: &str = "deployed.json";

impl KubernetesTarget {
    /// What was deployed last, as far as it is known: a version before this one left no note.
    ///
    /// # Errors
    /// When the API server does not say so.
    pub async fn deployed(&self) -> Result<Option<Deployed>, KubernetesError> {
        let namespace = Area::System.namespace(&self.spec);
        let api: Api<ConfigMap> = Api::namespaced(self.client().clone(), &namespace);
        let found = api.get_opt(NOTE).await;
        let found =
            found.map_err(|error| KubernetesError::api("read", format!("ConfigMap {namespace}/{NOTE}"), &error))?;
        let text = found.and_then(|map| map.data).and_then(|mut data| data.remove(TEXT));
        Ok(text.and_then(|text| {
            Deployed::parse(&text)
                .inspect_err(|error| tracing::warn!(%error, "the note {NOTE} is not understood, and made anew"))
                .ok()
        }))
    }

    /// Leaves the note. The namespaces must be there.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn note_deployed(&self, note: &Deployed) -> Result<(), KubernetesError> {
        let namespace = Area::System.namespace(&self.spec);
        let map = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": NOTE, "namespace": namespace, "labels": self.labels(NOTE)},
            "data": {TEXT: note.text()},
        });
        let api: Api<ConfigMap> = Api::namespaced(self.client().clone(), &namespace);
        // The tool's own note: nobody else has a say in it.
        let params = PatchParams::apply(MANAGER).force();
        let written = api.patch(NOTE, &params, &Patch::Apply(&map)).await;
        written
            .map(drop)
            .map_err(|error| KubernetesError::api("write", format!("ConfigMap {namespace}/{NOTE}"), &error))
    }
}
