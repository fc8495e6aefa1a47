//! Roles, one pair a namespace: `nova-viewer` sees everything but Secrets, `nova-operator` restarts and scales as well. Nobody
//! is bound to them: who is who is not ours to say.
//!
//! Neither reads a Secret. But whoever may change a workload could make it print what it has mounted: `nova-operator` is for
//! people who are trusted with the data.

use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule, Role};
use nova_platform::spec::Spec;

use super::metadata;
use crate::names::Area;

const VIEWER: &str = "nova-viewer";
const OPERATOR: &str = "nova-operator";
const READ: &[&str] = &["get", "list", "watch"];

/// The roles of one namespace.
pub(super) fn roles(spec: &Spec, area: Area) -> [Role; 2] {
    let role = |name, rules| Role {
        metadata: metadata::of_area(spec, area, name),
        rules: Some(rules),
    };
    let operator = viewer(area).into_iter().chain(changes()).collect();
    [role(VIEWER, viewer(area)), role(OPERATOR, operator)]
}

/// What a viewer needs that is in no namespace.
pub(super) fn cluster_role(spec: &Spec) -> ClusterRole {
    ClusterRole {
        metadata: metadata::of_platform(spec, &format!("{}-{VIEWER}", spec.platform.name)),
        rules: Some(vec![
            rule("", &["namespaces", "nodes"], READ),
            rule("storage.k8s.io", &["storageclasses"], READ),
            rule("metrics.k8s.io", &["nodes"], &["get", "list"]),
        ]),
        aggregation_rule: None,
    }
}

fn viewer(area: Area) -> Vec<PolicyRule> {
    let mut rules = vec![
        rule(
            "",
            &[
                "configmaps",
                "endpoints",
                "events",
                "limitranges",
                "persistentvolumeclaims",
                "pods",
                "pods/status",
                "resourcequotas",
                "serviceaccounts",
                "services",
            ],
            READ,
        ),
        rule("", &["pods/log"], &["get"]),
        rule(
            "apps",
            &["controllerrevisions", "deployments", "replicasets", "statefulsets"],
            READ,
        ),
        rule("autoscaling", &["horizontalpodautoscalers"], READ),
        rule("discovery.k8s.io", &["endpointslices"], READ),
        rule("events.k8s.io", &["events"], READ),
        rule("metrics.k8s.io", &["pods"], &["get", "list"]),
        rule("networking.k8s.io", &["networkpolicies"], READ),
        rule("policy", &["poddisruptionbudgets"], READ),
        rule("rbac.authorization.k8s.io", &["rolebindings", "roles"], READ),
    ];
    if area == Area::System {
        // The agent is asked this way, which is how `nova status` knows. Clients that come by WebSocket get, others create.
        rules.push(rule("", &["pods/portforward"], &["create", "get"]));
    }
    rules
}

/// Ends and replaces pods, scales, restarts.
fn changes() -> [PolicyRule; 5] {
    [
        rule("", &["pods"], &["delete", "patch"]),
        rule("", &["pods/eviction"], &["create"]),
        rule("apps", &["deployments", "statefulsets"], &["patch"]),
        rule(
            "apps",
            &["deployments/scale", "statefulsets/scale"],
            &["get", "patch", "update"],
        ),
        rule("autoscaling", &["horizontalpodautoscalers"], &["patch"]),
    ]
}

fn rule(group: &str, resources: &[&str], verbs: &[&str]) -> PolicyRule {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    PolicyRule {
        api_groups: Some(vec![group.to_owned()]),
        resources: Some(owned(resources)),
        verbs: owned(verbs),
        ..PolicyRule::default()
    }
}
