//! What a cluster must have before anything is applied: everything is looked at, and all that is missing is told at once.

mod capacity;
mod permissions;
pub(super) mod quantity;

use k8s_openapi::api::core::v1::Node;
use k8s_openapi::api::storage::v1::StorageClass;
use kube::Api;
use kube::api::ListParams;
use nova_platform::spec::{ProfileChoice, Spec};
use nova_platform::topology::NODES;
use serde::Serialize;

use super::harm::is_taken_down;
use super::inspect::is_node_ready;
use super::{Cluster, KubernetesError, KubernetesTarget, explain};
use crate::profile::Profile;
use crate::resources::Manifest;

pub use capacity::Room;

/// Oldest version that is known to work.
const OLDEST: (u32, u32) = (1, 31);
/// Cores below which `small` is chosen.
const SMALL_BELOW: u64 = 8;
/// The annotation of the storage class that volumes get when they name none.
const DEFAULT_CLASS: &str = "storageclass.kubernetes.io/is-default-class";

/// The taint that Kubernetes itself gives a cordoned node.
const CORDONED: &str = "node.kubernetes.io/unschedulable";

/// What was looked at, and whether it will do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What: "API server", "storage class".
    pub name: String,
    /// Whether it will do.
    pub ok: bool,
    /// What is there.
    pub found: String,
    /// What is wanted, and the next step; empty when it will do.
    pub next: String,
}

impl Finding {
    fn ok(name: &str, found: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            ok: true,
            found: found.into(),
            next: String::new(),
        }
    }

    fn missing(name: &str, found: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            ok: false,
            found: found.into(),
            next: next.into(),
        }
    }
}

/// Something is missing in the cluster.
#[derive(Debug, thiserror::Error)]
#[error("the cluster lacks what a deploy needs: {0}")]
pub struct Lacking(String);

impl Lacking {
    /// What of these findings will not do; `None` when all will.
    #[must_use]
    pub fn of(findings: &[Finding]) -> Option<Self> {
        let missing: Vec<String> = findings
            .iter()
            .filter(|finding| !finding.ok)
            .map(|finding| format!("{}: {}; {}", finding.name, finding.found, finding.next))
            .collect();
        (!missing.is_empty()).then(|| Self(missing.join(". ")))
    }
}

/// The profile that the description or the cluster's size asks for; `small` for who may not see the nodes, whom [`preflight`] tells
/// so with everything else that is missing.
///
/// # Errors
/// When nodes cannot be listed for another reason.
pub async fn profile(cluster: &Cluster, spec: &Spec) -> Result<Profile, KubernetesError> {
    match spec.kubernetes.profile {
        ProfileChoice::Production => Ok(Profile::Production),
        ProfileChoice::Small => Ok(Profile::Small),
        ProfileChoice::Auto => {
            let nodes = match nodes(cluster).await {
                Ok(nodes) => nodes,
                Err(error) => {
                    return match KubernetesError::api("list", "the nodes", &error) {
                        KubernetesError::Forbidden { .. } => Ok(Profile::Small),
                        error => Err(error),
                    };
                }
            };
            let offered: u64 = usable(&nodes, spec).map(|node| capacity::allocatable(node).cpu).sum();
            Ok(if offered < SMALL_BELOW * 1000 {
                Profile::Small
            } else {
                Profile::Production
            })
        }
    }
}

/// Looks at everything that the manifests need. Changes nothing.
pub async fn preflight(target: &KubernetesTarget) -> Vec<Finding> {
    let cluster = &target.cluster;
    let server = format!("{} (context {})", cluster.server, cluster.context);
    match cluster.version().await {
        Err(error) => {
            // Without it nothing else can be asked.
            vec![Finding::missing("API server", server, error.to_string())]
        }
        Ok(version) if version < OLDEST => {
            let found = format!("Kubernetes {}.{} at {server}", version.0, version.1);
            let next = format!("wanted {}.{} or newer: upgrade the cluster", OLDEST.0, OLDEST.1);
            vec![Finding::missing("API server", found, next)]
        }
        Ok(version) => {
            let mut findings = vec![Finding::ok(
                "API server",
                format!("Kubernetes {}.{} at {server}", version.0, version.1),
            )];
            let (permissions, class, nodes, namespaces) = tokio::join!(
                permissions::look(target),
                storage_class(cluster, &target.spec),
                nodes_and_room(cluster, &target.spec, &target.manifests),
                namespaces(target)
            );
            findings.push(permissions);
            findings.push(class);
            findings.extend(nodes);
            findings.push(namespaces);
            findings
        }
    }
}

async fn namespaces(target: &KubernetesTarget) -> Finding {
    match target.own_namespaces().await {
        Ok(there) if there.is_empty() => Finding::ok("namespaces", "none of them exists yet"),
        Ok(there) => Finding::ok("namespaces", there.into_iter().collect::<Vec<_>>().join(", ")),
        Err(error) => Finding::missing("namespaces", "not all are Nova's", error.to_string()),
    }
}

async fn storage_class(cluster: &Cluster, spec: &Spec) -> Finding {
    let name = "storage class";
    let api: Api<StorageClass> = Api::all(cluster.client.clone());
    let classes = match api.list(&ListParams::default()).await {
        Ok(list) => list.items,
        Err(error) => return Finding::ok(name, format!("not looked at: {}", explain(&error))),
    };
    judge_class(&classes, &spec.kubernetes.storage_class)
}

fn judge_class(classes: &[StorageClass], wanted: &str) -> Finding {
    let name = "storage class";
    let names: Vec<&str> = classes
        .iter()
        .filter_map(|class| class.metadata.name.as_deref())
        .collect();
    let known = if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    };
    if !wanted.is_empty() {
        return if names.contains(&wanted) {
            Finding::ok(name, wanted)
        } else {
            Finding::missing(
                name,
                format!("there is no {wanted:?}"),
                format!("the cluster has {known}: set [kubernetes] storage_class to one of them"),
            )
        };
    }
    let is_default = |class: &&StorageClass| {
        let annotations = class.metadata.annotations.as_ref();
        annotations
            .and_then(|all| all.get(DEFAULT_CLASS))
            .is_some_and(|value| value == "true")
    };
    match classes
        .iter()
        .find(is_default)
        .and_then(|class| class.metadata.name.as_deref())
    {
        Some(found) => Finding::ok(name, format!("{found} (the default)")),
        None => Finding::missing(
            name,
            "the cluster has no default",
            format!(
                "it has {known}: set [kubernetes] storage_class, or mark one as the default ({DEFAULT_CLASS}: \"true\")"
            ),
        ),
    }
}

async fn nodes_and_room(cluster: &Cluster, spec: &Spec, manifests: &[Manifest]) -> Vec<Finding> {
    let nodes = match nodes(cluster).await {
        Ok(nodes) => nodes,
        Err(error) => return vec![Finding::ok("nodes", format!("not looked at: {}", explain(&error)))],
    };
    let usable: Vec<&Node> = usable(&nodes, spec).collect();
    let found = format!("{} of {} ready and schedulable", usable.len(), nodes.len());
    let first = if usable.len() >= usize::from(NODES) {
        Finding::ok("nodes", found)
    } else {
        Finding::missing(
            "nodes",
            found,
            format!(
                "wanted {NODES}: members of a store never share a node, so that one node's loss is one member's; add nodes"
            ),
        )
    };
    let second = match capacity::requested_by_others(cluster, spec, &usable).await {
        Err(error) => Finding::ok("capacity", format!("not looked at: {}", explain(&error))),
        Ok(taken) => {
            let offered: Room = usable.iter().map(|node| capacity::allocatable(node)).sum();
            capacity::judge(offered.minus(taken), capacity::requested(manifests))
        }
    };
    vec![first, second]
}

async fn nodes(cluster: &Cluster) -> Result<Vec<Node>, kube::Error> {
    let api: Api<Node> = Api::all(cluster.client.clone());
    Ok(api.list(&ListParams::default()).await?.items)
}

/// Ready nodes that take any pod, or will when what a drill left is made good.
fn usable<'a>(nodes: &'a [Node], spec: &Spec) -> impl Iterator<Item = &'a Node> {
    let platform = spec.platform.name.clone();
    nodes.iter().filter(move |node| {
        let ours = is_taken_down(node, &platform);
        let spec = node.spec.clone().unwrap_or_default();
        let cordoned = spec.unschedulable == Some(true);
        let repels = spec
            .taints
            .unwrap_or_default()
            .iter()
            .any(|taint| taint.effect != "PreferNoSchedule" && !(ours && taint.key == CORDONED));
        is_node_ready(node) && (ours || !cordoned) && !repels
    })
}

#[cfg(test)]
mod tests {
    use super::{CORDONED, Finding, Lacking, judge_class, usable};
    use k8s_openapi::api::core::v1::Node;
    use k8s_openapi::api::storage::v1::StorageClass;
    use serde_json::{Value, json};

    fn class(name: &str, default: bool) -> StorageClass {
        let default = if default { "true" } else { "false" };
        serde_json::from_value(json!({"provisioner": "x", "metadata": {
            "name": name, "annotations": {"storageclass.kubernetes.io/is-default-class": default}}}))
        .expect("a class")
    }

    #[test]
    fn a_class_must_be_named_or_be_the_default() {
        let (plain, default) = (class("slow", false), class("fast", true));
        assert!(judge_class(&[plain.clone(), default], "").ok);
        assert!(judge_class(std::slice::from_ref(&plain), "slow").ok);
        let missing = judge_class(std::slice::from_ref(&plain), "");
        assert!(!missing.ok && missing.next.contains("it has slow"), "{missing:?}");
        let unknown = judge_class(&[plain], "fast");
        assert!(
            !unknown.ok && unknown.next.contains("the cluster has slow"),
            "{unknown:?}"
        );
    }

    fn spec() -> nova_platform::spec::Spec {
        nova_platform::load::load(None).expect("the shipped defaults").spec
    }

    fn node(ready: &str, spec: &Value) -> Node {
        serde_json::from_value(json!({"metadata": {}, "spec": spec,
            "status": {"conditions": [{"type": "Ready", "status": ready}]}}))
        .expect("a node")
    }

    #[test]
    fn only_ready_nodes_that_take_pods_count() {
        let nodes = [
            node("True", &json!({})),
            node("Unknown", &json!({})),
            node("True", &json!({"unschedulable": true})),
            node("True", &json!({"taints": [{"key": "a", "effect": "NoSchedule"}]})),
            node("True", &json!({"taints": [{"key": "a", "effect": "PreferNoSchedule"}]})),
        ];
        assert_eq!(usable(&nodes, &spec()).count(), 2);
    }

    #[test]
    fn a_node_that_a_killed_drill_of_this_platform_left_cordoned_counts() {
        let cordoned = json!({"unschedulable": true, "taints": [{"key": CORDONED, "effect": "NoSchedule"}]});
        let by = |platform: &str| {
            let mut node = node("True", &cordoned);
            node.metadata.annotations = Some([("nova/taken-down-by-a-drill".to_owned(), platform.to_owned())].into());
            node
        };
        let spec = spec();
        let nodes = [by(&spec.platform.name), by("another"), node("True", &cordoned)];
        assert_eq!(usable(&nodes, &spec).count(), 1);
    }

    #[test]
    fn all_that_is_missing_is_told_at_once() {
        let findings = [
            Finding::ok("a", "x"),
            Finding::missing("b", "y", "do this"),
            Finding::missing("c", "z", "do that"),
        ];
        let lacking = Lacking::of(&findings).expect("something is missing").to_string();
        assert!(lacking.ends_with("b: y; do this. c: z; do that"), "{lacking}");
        assert!(Lacking::of(&findings[..1]).is_none());
    }
}
