//! Removes a platform: what depends on others first, data only when that is asked for, and nothing that is not ours. Looks
//! afterwards, and says what is left and what holds it.

mod order;
mod retained;

use std::time::Duration;

use futures::stream::StreamExt;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use nova_platform::components::Stage;
use nova_platform::target::Removal;
use tokio::time::Instant;

use super::inventory::{INVENTORY, Keys};
use super::object::Key;
use super::pods::COMPONENT;
use super::{CONCURRENCY, KubernetesError, KubernetesTarget};
use crate::names::Area;
use order::stage;

/// Time for each stage to be gone.
const STAGE: Duration = Duration::from_secs(120);
/// Time for the namespaces to be gone with all that is in them.
const NAMESPACES: Duration = Duration::from_secs(180);
/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(300);
/// Objects that Kubernetes itself puts into every namespace.
const EVERYWHERE: [(&str, &str); 2] = [("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")];

impl KubernetesTarget {
    pub(super) async fn remove_platform(&self, data: bool) -> Result<Removal, KubernetesError> {
        self.own_namespaces().await?;
        // What a killed drill left cordoned is nobody else's to give back.
        self.bring_up_nodes().await?;
        let members = self.list_all().await?.len();
        let known = self.known().await?;
        let kept = |key: &Key| key.kind == "Namespace" || *key == self.all_secrets() || key.name == INVENTORY;
        let (stay, go): (Keys, Keys) = known.into_iter().partition(kept);
        let of_stage = |wanted: Stage| -> Keys {
            let objects = go.iter().filter(|key| stage(key, &self.spec) == wanted);
            objects.cloned().collect()
        };
        let mut left = Vec::new();
        let mut awaited: Vec<Stage> = Vec::new();
        for wanted in Stage::ALL {
            for before in wanted.after().iter().filter(|before| !awaited.contains(before)) {
                left.extend(self.wait_until_gone(&of_stage(*before), *before, STAGE).await?);
            }
            awaited.extend(wanted.after());
            self.delete_all(of_stage(wanted)).await?;
        }
        let foundation = of_stage(Stage::Foundation);
        left.extend(self.wait_until_gone(&foundation, Stage::Foundation, STAGE).await?);
        if data {
            left.extend(self.remove_data().await?);
        } else {
            left.extend(self.remove_services_namespace().await?);
        }
        if left.is_empty() && !data {
            // What stays is found by its labels; the inventory names nothing that was left behind.
            let namespace = Area::System.namespace(&self.spec);
            let key = Key::new("v1", "ConfigMap", Some(&namespace), INVENTORY);
            self.delete_all(Keys::from([key])).await?;
        } else if !data {
            self.write_inventory(&stay.union(&go).cloned().collect()).await?;
        }
        if data {
            let data = self.retained_volumes().await.told();
            return Ok(Removal { members, left, data });
        }
        let volumes = self.volumes().await?;
        let staying = [Area::System, Area::Redis, Area::Database, Area::Kafka].map(|area| area.namespace(&self.spec));
        Ok(Removal {
            members,
            left,
            data: Some(format!(
                "{} volume claims and the {}; so the namespaces {} stay too (`nova cleanup --data` removes all of it)",
                volumes.len(),
                self.all_secrets(),
                staying.join(", ")
            )),
        })
    }

    /// Waits for these objects, and for the pods of the stage. Returns what is still there, with what holds it.
    async fn wait_until_gone(
        &self,
        objects: &Keys,
        of: Stage,
        limit: Duration,
    ) -> Result<Vec<String>, KubernetesError> {
        let begin = Instant::now();
        loop {
            let mut left = self.still_there(objects).await?;
            if of.ends_pods() {
                left.extend(self.pods_of_stage(of).await?);
            }
            if left.is_empty() || begin.elapsed() >= limit {
                return Ok(left);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Pods that are still there, those on their way out and those that ended included.
    async fn pods_of_stage(&self, of: Stage) -> Result<Vec<String>, KubernetesError> {
        let mut left = Vec::new();
        for area in Area::ALL {
            let namespace = area.namespace(&self.spec);
            for pod in self.list_pods(area).await? {
                let component = pod.metadata.labels.as_ref().and_then(|labels| labels.get(COMPONENT));
                let key = Key::new("v1", "Pod", Some(&namespace), component.map_or("", String::as_str));
                if stage(&key, &self.spec) == of {
                    let name = pod.metadata.name.unwrap_or_default();
                    let finalizers = pod.metadata.finalizers.unwrap_or_default();
                    left.push(held(&Key::new("v1", "Pod", Some(&namespace), &name), &finalizers));
                }
            }
        }
        Ok(left)
    }

    /// Those of these objects that exist, with their finalizers.
    async fn still_there(&self, objects: &Keys) -> Result<Vec<String>, KubernetesError> {
        let look = |key: &Key| {
            let key = key.clone();
            async move {
                let found = key.api(self.client()).get_metadata_opt(&key.name).await;
                let found = found.map_err(|error| KubernetesError::api("read", &key, &error))?;
                Ok::<_, KubernetesError>(found.map(|object| {
                    let finalizers = object.metadata.finalizers.unwrap_or_default();
                    held(&key, &finalizers)
                }))
            }
        };
        let looks: Vec<_> = objects.iter().map(look).collect();
        let found: Vec<_> = futures::stream::iter(looks)
            .buffer_unordered(CONCURRENCY)
            .collect()
            .await;
        let found: Result<Vec<Option<String>>, KubernetesError> = found.into_iter().collect();
        Ok(found?.into_iter().flatten().collect())
    }

    /// Volumes, secrets and the namespaces with what Kubernetes put into them.
    async fn remove_data(&self) -> Result<Vec<String>, KubernetesError> {
        let volumes: Keys = self.volumes().await?.into_iter().collect();
        self.delete_all(volumes.clone()).await?;
        let mut left = self.wait_until_gone(&volumes, Stage::Foundation, STAGE).await?;
        let mut going = Vec::new();
        for (area, _, ours) in self.namespaces().await? {
            if ours {
                going.push(area);
            }
        }
        left.extend(self.remove_namespaces(&going).await?);
        Ok(left)
    }

    /// The services keep nothing that anybody would miss.
    async fn remove_services_namespace(&self) -> Result<Vec<String>, KubernetesError> {
        let there = self.namespaces().await?;
        let services = there.iter().any(|(area, _, ours)| *area == Area::Services && *ours);
        if services {
            self.remove_namespaces(&[Area::Services]).await
        } else {
            Ok(Vec::new())
        }
    }

    async fn remove_namespaces(&self, areas: &[Area]) -> Result<Vec<String>, KubernetesError> {
        let api: Api<Namespace> = Api::all(self.client().clone());
        let mut left = Vec::new();
        let mut going = Vec::new();
        for area in areas {
            let name = area.namespace(&self.spec);
            let foreign = self.foreign_in(&name).await?;
            if let Some(first) = foreign.first() {
                let more = foreign.len() - 1;
                let more = if more > 0 {
                    format!(" and {more} more")
                } else {
                    String::new()
                };
                left.push(format!("Namespace {name}: it holds what is not Nova's: {first}{more}"));
                continue;
            }
            match api.delete(&name, &DeleteParams::default()).await {
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                other => {
                    other
                        .map(drop)
                        .map_err(|error| KubernetesError::api("delete", format!("Namespace {name}"), &error))?;
                    going.push(name);
                }
            }
        }
        let begin = Instant::now();
        loop {
            let mut there = Vec::new();
            for name in &going {
                let found = api.get_opt(name).await;
                let found = found.map_err(|error| KubernetesError::api("read", format!("Namespace {name}"), &error))?;
                there.extend(found);
            }
            if there.is_empty() {
                return Ok(left);
            }
            if begin.elapsed() >= NAMESPACES {
                left.extend(there.iter().map(why_it_stays));
                return Ok(left);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// What stands in a namespace of ours and is not ours.
    async fn foreign_in(&self, namespace: &str) -> Result<Vec<String>, KubernetesError> {
        let kinds = [
            ("apps/v1", "Deployment"),
            ("apps/v1", "StatefulSet"),
            ("apps/v1", "DaemonSet"),
            ("batch/v1", "Job"),
            ("batch/v1", "CronJob"),
            ("v1", "PersistentVolumeClaim"),
            ("v1", "Service"),
            ("v1", "ConfigMap"),
            ("v1", "Secret"),
            ("v1", "Pod"),
        ];
        let not_ours = format!("app.kubernetes.io/instance!={}", self.spec.platform.name);
        let mut foreign = Vec::new();
        for (api_version, kind) in kinds {
            let key = Key::new(api_version, kind, Some(namespace), "");
            let list = key
                .api(self.client())
                .list_metadata(&ListParams::default().labels(&not_ours))
                .await;
            let list = list.map_err(|error| KubernetesError::api("list", format!("{kind} in {namespace}"), &error))?;
            let names = list.items.into_iter().filter_map(|object| object.metadata.name);
            let names = names.filter(|name| !EVERYWHERE.contains(&(kind, name.as_str())));
            foreign.extend(names.map(|name| format!("{kind} {name}")));
        }
        Ok(foreign)
    }
}

fn held(key: &Key, finalizers: &[String]) -> String {
    if finalizers.is_empty() {
        format!("{key}: still being deleted")
    } else {
        format!(
            "{key}: held by the finalizer {}, which its controller must remove (nova does not)",
            finalizers.join(", ")
        )
    }
}

/// In the API server's words, which name kinds and finalizers.
fn why_it_stays(namespace: &Namespace) -> String {
    let name = namespace.metadata.name.as_deref().unwrap_or_default();
    let conditions = namespace
        .status
        .as_ref()
        .and_then(|status| status.conditions.clone())
        .unwrap_or_default();
    let why: Vec<String> = conditions
        .into_iter()
        .filter(|one| one.status == "True")
        .filter_map(|one| one.message)
        .collect();
    let why = if why.is_empty() {
        "still being deleted".to_owned()
    } else {
        why.join("; ")
    };
    format!("Namespace {name}: {why} (nova strips no finalizer)")
}
