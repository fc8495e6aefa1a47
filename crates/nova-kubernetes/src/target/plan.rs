//! What a deploy would do to each object: the API server is asked what each would become, and nothing is changed.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{StreamExt, TryStreamExt};
use kube::Api;
use kube::api::{DynamicObject, ListParams};
use nova_platform::components::ComponentId;
use nova_platform::target::{Action, Plan, PlanStep};
use serde_json::Value;

use super::compare::{brief, differences};
use super::inventory::{Keys, unwanted};
use super::object::Key;
use super::volumes::{self, Volumes};
use super::{CONCURRENCY, KubernetesError, KubernetesTarget};
use crate::names::Area;
use crate::resources::Manifest;

impl KubernetesTarget {
    pub(super) async fn make_plan(&self) -> Result<Plan, KubernetesError> {
        let namespaces = self.own_namespaces().await?;
        let live = self.live(&namespaces).await?;
        let (namespaces, live) = (&namespaces, &live);
        let asked = self
            .manifests
            .iter()
            .map(|manifest| self.step(manifest, namespaces, live));
        let asked: Vec<_> = asked.collect();
        let mut steps: Vec<PlanStep> = futures::stream::iter(asked).buffered(CONCURRENCY).try_collect().await?;
        steps.extend(self.plan_secrets(namespaces).await?);
        let known = if namespaces.contains(&Area::System.namespace(&self.spec)) {
            self.known().await?
        } else {
            Keys::new()
        };
        for key in unwanted(&known, &self.wanted()) {
            let there = key.api(self.client()).get_metadata_opt(&key.name).await;
            if there
                .map_err(|error| KubernetesError::api("read", &key, &error))?
                .is_some()
            {
                steps.push(PlanStep {
                    member: key.to_string(),
                    component: ComponentId::Foundation,
                    action: Action::Delete,
                    reason: Some("no longer in the description".to_owned()),
                });
            }
        }
        Ok(Plan { steps })
    }

    async fn step(
        &self,
        manifest: &Manifest,
        namespaces: &BTreeSet<String>,
        live: &BTreeMap<Key, Value>,
    ) -> Result<PlanStep, KubernetesError> {
        let key = Key::of(&manifest.object);
        let step = |action, reason| PlanStep {
            member: key.as_ref().map(ToString::to_string).unwrap_or_default(),
            component: manifest.component.clone(),
            action,
            reason,
        };
        let Some(found) = key.as_ref() else {
            return Ok(step(Action::Create, None));
        };
        if found
            .namespace
            .as_ref()
            .is_some_and(|namespace| !namespaces.contains(namespace))
        {
            return Ok(step(Action::Create, None));
        }
        let Some(live) = live.get(found) else {
            self.dry_run(&manifest.object).await?;
            return Ok(step(Action::Create, None));
        };
        etcd_keeps_its_members(found, live, &manifest.object)?;
        let volumes = volumes::compare(live, &manifest.object);
        let told = match volumes {
            Volumes::Same => None,
            _ => volumes::told(&volumes, self.growable(&manifest.object).await?),
        };
        let asked = match &told {
            Some(_) => self.dry_run(&volumes::with_sizes_of(live, &manifest.object)).await?,
            None => self.dry_run(&manifest.object).await?,
        };
        let paths = differences(live, &value(&asked));
        let words: Vec<String> = told
            .iter()
            .map(|(_, words)| words.clone())
            .chain((!paths.is_empty()).then(|| brief(&paths)))
            .collect();
        let is_changed = !paths.is_empty() || told.is_some_and(|(done, _)| done);
        Ok(step(
            if is_changed { Action::Change } else { Action::Keep },
            (!words.is_empty()).then(|| words.join("; ")),
        ))
    }

    /// Every object of the manifests' kinds that is there, one list a kind and namespace.
    async fn live(&self, namespaces: &BTreeSet<String>) -> Result<BTreeMap<Key, Value>, KubernetesError> {
        let places: BTreeSet<Key> = self
            .manifests
            .iter()
            .filter_map(|manifest| Key::of(&manifest.object))
            .filter(|key| {
                key.namespace
                    .as_ref()
                    .is_none_or(|namespace| namespaces.contains(namespace))
            })
            .map(|key| Key {
                name: String::new(),
                ..key
            })
            .collect();
        let selector = self.selector();
        let selector = &selector;
        let lists: Vec<Vec<(Key, Value)>> = futures::stream::iter(places)
            .map(|place| async move {
                let api: Api<DynamicObject> = place.api(self.client());
                let list = api.list(&ListParams::default().labels(selector)).await;
                let what = format!(
                    "{} in {}",
                    place.kind,
                    place.namespace.as_deref().unwrap_or("the cluster")
                );
                let list = list.map_err(|error| KubernetesError::api("list", what, &error))?;
                let named = list.items.into_iter().filter_map(|object| {
                    let key = Key {
                        name: object.metadata.name.clone()?,
                        ..place.clone()
                    };
                    // Objects in a list come without these two.
                    let mut object = value(&object);
                    object["kind"] = place.kind.clone().into();
                    object["apiVersion"] = place.api_version.clone().into();
                    Some((key, object))
                });
                Ok::<_, KubernetesError>(named.collect())
            })
            .buffer_unordered(CONCURRENCY)
            .try_collect()
            .await?;
        Ok(lists.into_iter().flatten().collect())
    }
}

/// A pod that goes takes no member out of etcd's cluster.
fn etcd_keeps_its_members(key: &Key, live: &Value, wanted: &Value) -> Result<(), KubernetesError> {
    let replicas = |set: &Value| set["spec"]["replicas"].as_u64().unwrap_or(1);
    if key.kind == "StatefulSet" && key.name == "etcd" && replicas(wanted) < replicas(live) {
        return Err(KubernetesError::EtcdShrinks {
            live: replicas(live),
            wanted: replicas(wanted),
        });
    }
    Ok(())
}

/// An object as plain JSON.
fn value(object: &DynamicObject) -> Value {
    serde_json::to_value(object).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Key, etcd_keeps_its_members};
    use serde_json::{Value, json};

    fn is_refused(name: &str, live: u64, wanted: u64) -> bool {
        let set = |replicas: u64| -> Value {
            json!({ "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": { "name": name, "namespace": "nova-database" },
                    "spec": { "replicas": replicas } })
        };
        let key = Key::of(&set(live)).expect("it has a kind and a name");
        etcd_keeps_its_members(&key, &set(live), &set(wanted)).is_err()
    }

    #[test]
    fn etcd_alone_may_not_have_fewer_pods() {
        assert!(is_refused("etcd", 3, 1));
        assert!(!is_refused("etcd", 1, 3));
        assert!(!is_refused("etcd", 3, 3));
        assert!(!is_refused("postgres", 3, 1));
    }
}
