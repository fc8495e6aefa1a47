//! The platform's namespaces: which are there, and whose they are.

use std::collections::BTreeSet;

use futures::future::try_join_all;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use nova_platform::spec::Spec;

use super::{KubernetesError, KubernetesTarget};
use crate::names::{Area, PART_OF};

/// Whether a namespace is of this platform.
pub(super) fn is_ours(namespace: &Namespace, spec: &Spec) -> bool {
    let label = |name: &str| namespace.metadata.labels.as_ref().and_then(|labels| labels.get(name));
    label("app.kubernetes.io/part-of").is_some_and(|value| value == PART_OF)
        && label("app.kubernetes.io/instance").is_some_and(|value| *value == spec.platform.name)
}

impl KubernetesTarget {
    /// Those of the platform's namespaces that exist, with whether they are ours.
    pub(super) async fn namespaces(&self) -> Result<Vec<(Area, Namespace, bool)>, KubernetesError> {
        let api: Api<Namespace> = Api::all(self.client().clone());
        let api = &api;
        let found = try_join_all(Area::ALL.map(|area| async move {
            let name = area.namespace(&self.spec);
            let found = api.get_opt(&name).await;
            let found = found.map_err(|error| KubernetesError::api("read", format!("Namespace {name}"), &error))?;
            Ok::<_, KubernetesError>(found.map(|namespace| {
                let ours = is_ours(&namespace, &self.spec);
                (area, namespace, ours)
            }))
        }));
        Ok(found.await?.into_iter().flatten().collect())
    }

    /// The names of those that exist.
    ///
    /// # Errors
    /// [`KubernetesError::Foreign`] when one is somebody else's.
    pub(super) async fn own_namespaces(&self) -> Result<BTreeSet<String>, KubernetesError> {
        let mut names = BTreeSet::new();
        for (area, _, ours) in self.namespaces().await? {
            let namespace = area.namespace(&self.spec);
            if !ours {
                return Err(KubernetesError::Foreign {
                    namespace,
                    platform: self.spec.platform.name.clone(),
                });
            }
            names.insert(namespace);
        }
        Ok(names)
    }

    /// Whether anything of the platform is in the cluster.
    ///
    /// # Errors
    /// When the API server does not say so.
    pub async fn has_state(&self) -> Result<bool, KubernetesError> {
        Ok(self.namespaces().await?.iter().any(|(_, _, ours)| *ours))
    }
}
