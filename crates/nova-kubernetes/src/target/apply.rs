//! Server-side apply: strict, as field manager `nova`, never forced.

use futures::stream::{StreamExt, TryStreamExt};
use kube::api::{DynamicObject, Patch, PatchParams};
use nova_platform::components::ComponentId;
use serde_json::{Value, json};

use super::object::Key;
use super::{CONCURRENCY, KubernetesError, KubernetesTarget, conflict};
use crate::names::{Area, MANAGER};

/// Field manager of the number of pods that a new Deployment with an autoscaler begins with. Not ours: we do not own it.
const SCALE_MANAGER: &str = "nova-scale";
/// Kinds that begin pods: applied after what their pods need.
const WORKLOADS: [&str; 3] = ["StatefulSet", "Deployment", "HorizontalPodAutoscaler"];

impl KubernetesTarget {
    /// Everything that no component owns: namespaces, the inventory, secrets, policies. Safe to repeat. The lock must be held.
    ///
    /// # Errors
    /// When something is not ours, or the API server refuses an object.
    pub async fn prepare(&self) -> Result<(), KubernetesError> {
        let credentials = self.read_credentials()?;
        self.own_namespaces().await?;
        // A drill that was killed may have left one cordoned, and pods would wait for it.
        self.bring_up_nodes().await?;
        let is_namespace = |object: &&Value| object["kind"] == "Namespace";
        let foundation: Vec<&Value> = self.of_component(&ComponentId::Foundation).collect();
        self.apply_namespace(Area::System).await?;
        self.remember_all().await?;
        self.apply_all(foundation.iter().copied().filter(is_namespace)).await?;
        let (others, secrets) = tokio::join!(
            self.apply_all(foundation.iter().copied().filter(|object| !is_namespace(object))),
            self.ensure_secrets(&credentials)
        );
        others?;
        secrets
    }

    /// Only this namespace: the tool's own notes stand there.
    pub(super) async fn apply_namespace(&self, area: Area) -> Result<(), KubernetesError> {
        let name = area.namespace(&self.spec);
        let is_it = |object: &&Value| object["kind"] == "Namespace" && object["metadata"]["name"] == name.as_str();
        match self.of_component(&ComponentId::Foundation).find(is_it) {
            Some(namespace) => self.apply_object(namespace).await.map(drop),
            None => Ok(()),
        }
    }

    pub(super) async fn apply_component(&self, component: &ComponentId) -> Result<(), KubernetesError> {
        let is_workload = |object: &&Value| object["kind"].as_str().is_some_and(|kind| WORKLOADS.contains(&kind));
        // Pods whose configuration is not there yet would wait for the kubelet's next try.
        self.apply_all(self.of_component(component).filter(|object| !is_workload(object)))
            .await?;
        self.apply_all(self.of_component(component).filter(is_workload)).await
    }

    fn of_component<'a>(&'a self, component: &'a ComponentId) -> impl Iterator<Item = &'a Value> {
        let ours = self
            .manifests
            .iter()
            .filter(move |manifest| manifest.component == *component);
        ours.map(|manifest| &manifest.object)
    }

    async fn apply_all(&self, objects: impl Iterator<Item = &Value>) -> Result<(), KubernetesError> {
        // Collected first: a stream that makes its futures from references is not Send.
        let applied: Vec<_> = objects.map(|object| self.apply_scaled(object)).collect();
        futures::stream::iter(applied)
            .buffer_unordered(CONCURRENCY)
            .try_collect()
            .await
    }

    /// Applies an object, and gives a new Deployment whose number of pods is its autoscaler's the number to begin with.
    async fn apply_scaled(&self, object: &Value) -> Result<(), KubernetesError> {
        let scaled = object["kind"] == "Deployment" && object["spec"].get("replicas").is_none();
        let Some(key) = Key::of(object).filter(|_| scaled) else {
            let object = self.grow(object).await?;
            return self.apply_object(&object).await.map(drop);
        };
        let api = key.api(self.client());
        let existing = api.get_metadata_opt(&key.name).await;
        let existing = existing.map_err(|error| KubernetesError::api("read", &key, &error))?;
        self.apply_object(object).await?;
        let members = self.spec.services.get(&key.name).map(|service| service.members);
        let (None, Some(members)) = (existing, members) else {
            return Ok(());
        };
        let params = PatchParams {
            field_manager: Some(SCALE_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let scale = json!({"spec": {"replicas": members}});
        let scaled = api.patch_scale(&key.name, &params, &Patch::Merge(&scale)).await;
        scaled
            .map(drop)
            .map_err(|error| KubernetesError::api("scale", &key, &error))
    }

    /// Applies one object as it is.
    pub(super) async fn apply_object(&self, object: &Value) -> Result<DynamicObject, KubernetesError> {
        self.patch(object, PatchParams::apply(MANAGER)).await
    }

    /// What the object would be after [`KubernetesTarget::apply_object`].
    pub(super) async fn dry_run(&self, object: &Value) -> Result<DynamicObject, KubernetesError> {
        self.patch(object, PatchParams::apply(MANAGER).dry_run()).await
    }

    async fn patch(&self, object: &Value, params: PatchParams) -> Result<DynamicObject, KubernetesError> {
        let Some(key) = Key::of(object) else {
            return Err(KubernetesError::Api {
                action: "apply",
                object: "an object without a kind or a name".to_owned(),
                why: object.to_string(),
            });
        };
        let params = params.validation_strict();
        let result = key
            .api(self.client())
            .patch(&key.name, &params, &Patch::Apply(object))
            .await;
        result.map_err(|error| match &error {
            kube::Error::Api(status) if status.code == 409 => KubernetesError::Conflict {
                object: key.to_string(),
                conflict: conflict::describe(&key.to_string(), status),
            },
            _ => KubernetesError::api("apply", &key, &error),
        })
    }
}
