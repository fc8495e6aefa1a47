//! Which pods are of an earlier template than their controller's: what keeps one of those from starting is no news of the change
//! that is being applied, since its controller is about to replace it.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;

use super::{KubernetesError, KubernetesTarget};
use crate::names::Area;

/// Where a Deployment says which of its ReplicaSets is the newest, and a ReplicaSet which one it is.
const REVISION: &str = "deployment.kubernetes.io/revision";
/// Label of a StatefulSet's pod: the template that it was made from.
const TEMPLATE: &str = "controller-revision-hash";

/// The newest templates of one namespace.
#[derive(Debug, Default)]
pub(super) struct Revisions {
    /// Each ReplicaSet: whether it is its Deployment's newest, and the Deployment knows of its last change.
    replica_sets: BTreeMap<String, bool>,
    /// Each StatefulSet's newest template; `None` while its controller has not seen its last change.
    stateful_sets: BTreeMap<String, Option<String>>,
}

impl KubernetesTarget {
    /// The newest templates of the platform's controllers in one namespace.
    pub(super) async fn revisions(&self, area: Area) -> Result<Revisions, KubernetesError> {
        let namespace = area.namespace(&self.spec);
        let list = ListParams::default().labels(&self.selector());
        let deployments: Api<Deployment> = Api::namespaced(self.client().clone(), &namespace);
        let replica_sets: Api<ReplicaSet> = Api::namespaced(self.client().clone(), &namespace);
        let stateful_sets: Api<StatefulSet> = Api::namespaced(self.client().clone(), &namespace);
        let (deployments, replica_sets, stateful_sets) = tokio::try_join!(
            deployments.list(&list),
            replica_sets.list(&list),
            stateful_sets.list(&list)
        )
        .map_err(|error| KubernetesError::api("list the controllers of", &namespace, &error))?;
        Ok(Revisions::of(
            &deployments.items,
            &replica_sets.items,
            &stateful_sets.items,
        ))
    }
}

impl Revisions {
    fn of(deployments: &[Deployment], replica_sets: &[ReplicaSet], stateful_sets: &[StatefulSet]) -> Self {
        let newest: BTreeSet<(&str, &str)> = deployments
            .iter()
            .filter(|one| {
                let observed = one.status.as_ref().and_then(|status| status.observed_generation);
                observed.unwrap_or(0) >= one.metadata.generation.unwrap_or(0)
            })
            .filter_map(|one| {
                Some((
                    one.metadata.name.as_deref()?,
                    revision(one.metadata.annotations.as_ref())?,
                ))
            })
            .collect();
        let replica_sets = replica_sets.iter().filter_map(|set| {
            let owner = set
                .metadata
                .owner_references
                .iter()
                .flatten()
                .find(|owner| owner.kind == "Deployment")?;
            let own = revision(set.metadata.annotations.as_ref())?;
            Some((set.metadata.name.clone()?, newest.contains(&(&*owner.name, own))))
        });
        let stateful_sets = stateful_sets.iter().filter_map(|set| {
            let status = set.status.clone().unwrap_or_default();
            let seen = status.observed_generation.unwrap_or(0) >= set.metadata.generation.unwrap_or(0);
            Some((set.metadata.name.clone()?, status.update_revision.filter(|_| seen)))
        });
        Self {
            replica_sets: replica_sets.collect(),
            stateful_sets: stateful_sets.collect(),
        }
    }

    /// Whether a controller that is known will replace this pod; `false` for a pod of nobody that is known.
    pub(super) fn is_earlier(&self, pod: &Pod) -> bool {
        let owners = pod.metadata.owner_references.iter().flatten();
        owners.into_iter().any(|owner| match owner.kind.as_str() {
            "ReplicaSet" => self.replica_sets.get(&owner.name) == Some(&false),
            "StatefulSet" => {
                let own = pod.metadata.labels.as_ref().and_then(|labels| labels.get(TEMPLATE));
                self.stateful_sets
                    .get(&owner.name)
                    .is_some_and(|newest| newest.as_ref() != own || own.is_none())
            }
            _ => false,
        })
    }
}

fn revision(annotations: Option<&BTreeMap<String, String>>) -> Option<&str> {
    annotations?.get(REVISION).map(String::as_str)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, StatefulSet};
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::json;

    use super::Revisions;

    fn deployment(generation: i64, observed: i64, revision: &str) -> Deployment {
        serde_json::from_value(json!({
            "metadata": {"name": "auth-service", "generation": generation, "annotations": {super::REVISION: revision}},
            "status": {"observedGeneration": observed},
        }))
        .unwrap()
    }

    fn replica_set(revision: &str) -> ReplicaSet {
        serde_json::from_value(json!({"metadata": {
            "name": format!("auth-service-{revision}"), "annotations": {super::REVISION: revision},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "auth-service", "uid": "u"}],
        }}))
        .unwrap()
    }

    fn stateful_set(observed: i64) -> StatefulSet {
        serde_json::from_value(json!({
            "metadata": {"name": "redis", "generation": 2},
            "status": {"replicas": 3, "observedGeneration": observed, "updateRevision": "redis-b"},
        }))
        .unwrap()
    }

    fn pod(kind: &str, owner: &str, template: &str) -> Pod {
        serde_json::from_value(json!({"metadata": {
            "name": "x", "labels": {super::TEMPLATE: template},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": kind, "name": owner, "uid": "u"}],
        }}))
        .unwrap()
    }

    #[test]
    fn a_pod_is_earlier_than_the_newest_template_or_than_one_that_its_controller_has_not_seen() {
        let sets = [replica_set("1"), replica_set("2")];
        let seen = Revisions::of(&[deployment(2, 2, "2")], &sets, &[stateful_set(2)]);
        let unseen = Revisions::of(&[deployment(3, 2, "2")], &sets, &[stateful_set(1)]);
        for (kind, owner, template, now, before) in [
            ("ReplicaSet", "auth-service-1", "", true, true),
            ("ReplicaSet", "auth-service-2", "", false, true),
            ("ReplicaSet", "somebody-else", "", false, false),
            ("StatefulSet", "redis", "redis-a", true, true),
            ("StatefulSet", "redis", "redis-b", false, true),
            ("StatefulSet", "somebody-else", "redis-a", false, false),
            ("Job", "x", "", false, false),
        ] {
            let pod = pod(kind, owner, template);
            assert_eq!(seen.is_earlier(&pod), now, "{kind} {owner} {template}");
            assert_eq!(unseen.is_earlier(&pod), before, "{kind} {owner} {template}, unseen");
        }
    }
}
