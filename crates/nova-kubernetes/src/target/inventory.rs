//! What was ever applied: a ConfigMap in the cluster, written before anything is applied and shrunk only after it is gone, so that
//! nothing is forgotten, whatever ends the tool in between.

use std::collections::BTreeSet;

use futures::stream::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;

use super::object::Key;
use super::{CONCURRENCY, KubernetesError, KubernetesTarget};
use crate::names::{Area, MANAGER, PART_OF};

/// The ConfigMap, in [`Area::System`].
pub(super) const INVENTORY: &str = "nova-inventory";
/// Its key with the objects.
const OBJECTS: &str = "objects";
/// Kinds that are never pruned: they hold what others may need, or data.
const KEPT_KINDS: [&str; 3] = ["Namespace", "PersistentVolumeClaim", "PersistentVolume"];

/// Objects by name.
pub(super) type Keys = BTreeSet<Key>;

/// What is known and no longer wanted.
pub(super) fn unwanted(known: &Keys, wanted: &Keys) -> Keys {
    let gone = known.difference(wanted);
    gone.filter(|key| !KEPT_KINDS.contains(&key.kind.as_str()))
        .cloned()
        .collect()
}

/// From the ConfigMap's text.
fn parse(text: &str) -> Result<Keys, serde_json::Error> {
    serde_json::from_str(text)
}

impl KubernetesTarget {
    /// Everything that the description asks for, Secrets included.
    pub(super) fn wanted(&self) -> Keys {
        let manifests = self.manifests.iter().filter_map(|manifest| Key::of(&manifest.object));
        let secrets = self.layouts.iter().map(|layout| {
            let namespace = layout.area.namespace(&self.spec);
            Key::new("v1", "Secret", Some(&namespace), &layout.name)
        });
        manifests.chain(secrets).collect()
    }

    /// What the inventory holds; nothing when there is none.
    pub(super) async fn known(&self) -> Result<Keys, KubernetesError> {
        let namespace = Area::System.namespace(&self.spec);
        let object = format!("ConfigMap {namespace}/{INVENTORY}");
        let api: Api<ConfigMap> = Api::namespaced(self.client().clone(), &namespace);
        let found = api.get_opt(INVENTORY).await;
        let found = found.map_err(|error| KubernetesError::api("read", &object, &error))?;
        let text = found.and_then(|map| map.data).and_then(|mut data| data.remove(OBJECTS));
        text.map_or_else(
            || Ok(Keys::new()),
            |text| parse(&text).map_err(|error| KubernetesError::Inventory(object, error.to_string())),
        )
    }

    /// Whether a deploy ever began here.
    ///
    /// # Errors
    /// When the API server does not say so.
    pub async fn is_deployed(&self) -> Result<bool, KubernetesError> {
        Ok(!self.known().await?.is_empty())
    }

    /// Adds everything that will be applied to the inventory.
    pub(super) async fn remember_all(&self) -> Result<(), KubernetesError> {
        let known = self.known().await?;
        let union: Keys = known.union(&self.wanted()).cloned().collect();
        self.write_inventory(&union).await
    }

    pub(super) async fn write_inventory(&self, keys: &Keys) -> Result<(), KubernetesError> {
        let namespace = Area::System.namespace(&self.spec);
        let objects = serde_json::to_string(keys)
            .map_err(|error| KubernetesError::Inventory(INVENTORY.to_owned(), error.to_string()))?;
        let map = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": INVENTORY, "namespace": namespace, "labels": self.labels(INVENTORY)},
            "data": {"version": env!("CARGO_PKG_VERSION"), OBJECTS: objects},
        });
        let api: Api<ConfigMap> = Api::namespaced(self.client().clone(), &namespace);
        // The tool's own note: nobody else has a say in it.
        let params = PatchParams::apply(MANAGER).force();
        let written = api.patch(INVENTORY, &params, &Patch::Apply(&map)).await;
        written
            .map(drop)
            .map_err(|error| KubernetesError::api("write", format!("ConfigMap {namespace}/{INVENTORY}"), &error))
    }

    pub(super) async fn prune_unwanted(&self) -> Result<(), KubernetesError> {
        let wanted = self.wanted();
        let known = self.known().await?;
        self.delete_all(unwanted(&known, &wanted)).await?;
        self.write_inventory(&wanted).await
    }

    /// Deletes objects, and passes over those that are gone. Returns when the API server took it, not when they are gone.
    pub(super) async fn delete_all(&self, keys: Keys) -> Result<(), KubernetesError> {
        let delete = |key: Key| async move {
            let deleted = key
                .api(self.client())
                .delete(&key.name, &DeleteParams::background())
                .await;
            match deleted {
                Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
                other => other
                    .map(drop)
                    .map_err(|error| KubernetesError::api("delete", &key, &error)),
            }
        };
        futures::stream::iter(keys.into_iter().map(delete))
            .buffer_unordered(CONCURRENCY)
            .try_collect()
            .await
    }

    /// Labels of what the target makes itself.
    pub(super) fn labels(&self, name: &str) -> serde_json::Value {
        json!({
            "app.kubernetes.io/name": name,
            "app.kubernetes.io/instance": self.spec.platform.name,
            "app.kubernetes.io/part-of": PART_OF,
            "app.kubernetes.io/managed-by": MANAGER,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Key, Keys, parse, unwanted};

    fn keys(names: &[(&str, &str)]) -> Keys {
        names
            .iter()
            .map(|(kind, name)| Key::new("v1", kind, Some("nova-redis"), name))
            .collect()
    }

    #[test]
    fn what_is_no_longer_wanted_goes_but_never_data_or_namespaces() {
        let known = keys(&[
            ("Service", "old"),
            ("Service", "kept"),
            ("PersistentVolumeClaim", "data-redis-1"),
            ("Namespace", "nova-old"),
        ]);
        let gone = unwanted(&known, &keys(&[("Service", "kept"), ("Service", "new")]));
        assert_eq!(gone, keys(&[("Service", "old")]));
    }

    #[test]
    fn the_inventory_is_read_as_it_was_written() {
        let mut written = keys(&[("Service", "a"), ("ConfigMap", "b")]);
        written.insert(Key::new("v1", "Namespace", None, "nova-redis"));
        let text = serde_json::to_string(&written).expect("text");
        assert_eq!(parse(&text).expect("keys"), written);
        assert!(parse("{").is_err());
    }
}
