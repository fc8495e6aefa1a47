//! Whether all pods of a component are as applied and ready, as the API server tells it.

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use kube::Api;
use kube::api::ListParams;
use nova_platform::components::{ComponentId, facts};

use super::pods::COMPONENT;
use super::{KubernetesTarget, explain};
use crate::names::Area;

impl KubernetesTarget {
    /// Whether every pod of a component is new and ready.
    ///
    /// # Errors
    /// In words: what is not yet so.
    pub async fn rolled_out(&self, component: &ComponentId) -> Result<(), String> {
        let area = self
            .area_of(component)
            .ok_or_else(|| format!("there is no component \"{component}\""))?;
        let namespace = area.namespace(&self.spec);
        let selector = format!("{},{COMPONENT}={component}", self.selector());
        let list = ListParams::default().labels(&selector);
        let stateful: Api<StatefulSet> = Api::namespaced(self.client().clone(), &namespace);
        let deployments: Api<Deployment> = Api::namespaced(self.client().clone(), &namespace);
        let (stateful, deployments) = tokio::try_join!(stateful.list(&list), deployments.list(&list))
            .map_err(|error| format!("cannot list what is in {namespace}: {}", explain(&error)))?;
        let states: Vec<State> = stateful
            .items
            .iter()
            .map(State::of_stateful_set)
            .chain(deployments.items.iter().map(State::of_deployment))
            .collect();
        if states.is_empty() {
            return Err(format!("no StatefulSet or Deployment of {component} is in {namespace}"));
        }
        states.iter().try_for_each(State::judge)
    }

    /// The part of the platform that a component runs in.
    pub(super) fn area_of(&self, component: &ComponentId) -> Option<Area> {
        match component {
            ComponentId::Service(name) if !self.spec.services.contains_key(&**name) => None,
            known => Some(facts(known).area),
        }
    }
}

/// What counts of a StatefulSet or a Deployment.
struct State {
    name: String,
    generation: i64,
    observed: i64,
    wanted: i32,
    total: i32,
    updated: i32,
    ready: i32,
    /// Whether pods of an older revision may be left; a Deployment counts them in `total`.
    old_revision: bool,
    /// Why it gave up, where it did.
    stuck: Option<String>,
}

impl State {
    fn of_stateful_set(set: &StatefulSet) -> Self {
        let status = set.status.clone().unwrap_or_default();
        let replicas = set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
        Self {
            name: set.metadata.name.clone().unwrap_or_default(),
            generation: set.metadata.generation.unwrap_or(0),
            observed: status.observed_generation.unwrap_or(0),
            wanted: replicas,
            total: status.replicas,
            updated: status.updated_replicas.unwrap_or(0),
            ready: status.ready_replicas.unwrap_or(0),
            old_revision: status.current_revision != status.update_revision,
            stuck: None,
        }
    }

    fn of_deployment(deployment: &Deployment) -> Self {
        let status = deployment.status.clone().unwrap_or_default();
        let conditions = status.conditions.unwrap_or_default();
        let stuck = conditions
            .into_iter()
            .find(|one| one.type_ == "Progressing" && one.reason.as_deref() == Some("ProgressDeadlineExceeded"));
        Self {
            name: deployment.metadata.name.clone().unwrap_or_default(),
            generation: deployment.metadata.generation.unwrap_or(0),
            observed: status.observed_generation.unwrap_or(0),
            wanted: deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1),
            total: status.replicas.unwrap_or(0),
            updated: status.updated_replicas.unwrap_or(0),
            ready: status.ready_replicas.unwrap_or(0),
            old_revision: false,
            stuck: stuck.map(|one| one.message.unwrap_or_default()),
        }
    }

    fn judge(&self) -> Result<(), String> {
        let Self {
            name,
            wanted,
            total,
            updated,
            ready,
            ..
        } = self;
        if self.observed < self.generation {
            return Err(format!("{name}: its controller has not seen the change yet"));
        }
        if let Some(stuck) = &self.stuck {
            return Err(format!("{name}: {stuck}"));
        }
        if updated < wanted {
            return Err(format!("{name}: {updated} of {wanted} pods are new"));
        }
        if ready < wanted {
            return Err(format!("{name}: {ready} of {wanted} pods are ready"));
        }
        if total > wanted {
            return Err(format!("{name}: {} pods too many are still there", total - wanted));
        }
        if self.old_revision {
            return Err(format!("{name}: its controller has not ended the change yet"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::State;
    use serde_json::{Value, json};

    fn stateful(change: &Value) -> Result<(), String> {
        let mut set = json!({
            "metadata": {"name": "redis", "generation": 2}, "spec": {"replicas": 3, "selector": {}, "serviceName": "x", "template": {}},
            "status": {"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3,
                       "currentRevision": "b", "updateRevision": "b"},
        });
        for (key, value) in change.as_object().expect("an object") {
            set["status"][key] = value.clone();
        }
        State::of_stateful_set(&serde_json::from_value(set).expect("a set")).judge()
    }

    #[test]
    fn only_pods_that_are_new_and_ready_pass() {
        assert_eq!(stateful(&json!({})), Ok(()));
        for (change, why) in [
            (json!({"observedGeneration": 1}), "has not seen the change"),
            (json!({"updatedReplicas": 2}), "2 of 3 pods are new"),
            (json!({"readyReplicas": 2}), "2 of 3 pods are ready"),
            (json!({"replicas": 4}), "1 pods too many"),
            (json!({"currentRevision": "a"}), "has not ended the change"),
        ] {
            let found = stateful(&change).expect_err("not there yet");
            assert!(found.contains(why), "{found}");
        }
    }

    #[test]
    fn a_deployment_that_gave_up_says_so() {
        let deployment = json!({
            "metadata": {"name": "agent", "generation": 1}, "spec": {"replicas": 2, "selector": {}, "template": {}},
            "status": {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 0, "conditions": [
                {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "it has timed out"}]},
        });
        let found = State::of_deployment(&serde_json::from_value(deployment).expect("a deployment")).judge();
        assert_eq!(found, Err("agent: it has timed out".to_owned()));
    }
}
