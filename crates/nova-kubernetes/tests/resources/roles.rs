//! Who is given which role may do what it says and nothing more.

use std::collections::BTreeSet;

use nova_kubernetes::profile::Profile;
use serde_json::Value;

use crate::objects::{items, objects, of_kind, place, spec, texts};

/// What a role allows, as `verb resource`.
fn allows(role: &Value) -> BTreeSet<String> {
    items(&role["rules"])
        .flat_map(|rule| {
            let verbs = texts(&rule["verbs"]);
            texts(&rule["resources"])
                .into_iter()
                .flat_map(move |resource| verbs.clone().into_iter().map(move |verb| format!("{verb} {resource}")))
        })
        .collect()
}

#[test]
fn a_viewer_reads_and_does_nothing_else() {
    let objects = objects(&spec("nova"), Profile::Production);
    let viewers: Vec<&Value> = of_kind(&objects, "Role")
        .filter(|role| role["metadata"]["name"] == "nova-viewer")
        .collect();
    assert_eq!(viewers.len(), 5);
    for role in viewers {
        let mut more = allows(role);
        more.retain(|allowed| !["get ", "list ", "watch "].iter().any(|verb| allowed.starts_with(verb)));
        // The way to the agent, for `nova status`; where the data is, it would be a way to the data.
        let expected: &[&str] = if role["metadata"]["namespace"] == "nova-system" {
            &["create pods/portforward"]
        } else {
            &[]
        };
        assert_eq!(
            more.iter().map(String::as_str).collect::<Vec<_>>(),
            expected,
            "{}",
            place(role)
        );
        assert_eq!(
            allows(role).contains("get pods/portforward"),
            role["metadata"]["namespace"] == "nova-system"
        );
        assert!(allows(role).contains("get pods/log") && allows(role).contains("list statefulsets"));
    }
    let cluster: Vec<&Value> = of_kind(&objects, "ClusterRole").collect();
    assert_eq!(
        cluster.iter().map(|role| place(role)).collect::<Vec<_>>(),
        ["nova-nova-viewer"]
    );
    assert!(allows(cluster[0]).contains("get namespaces"));
    assert!(
        allows(cluster[0])
            .iter()
            .all(|allowed| ["get ", "list ", "watch "].iter().any(|verb| allowed.starts_with(verb)))
    );
}

#[test]
fn an_operator_restarts_and_scales_and_is_a_viewer() {
    let objects = objects(&spec("nova"), Profile::Production);
    for namespace in [
        "nova-system",
        "nova-redis",
        "nova-database",
        "nova-kafka",
        "nova-services",
    ] {
        let role = |name: &str| {
            let wanted = format!("{namespace}/{name}");
            allows(of_kind(&objects, "Role").find(|role| place(role) == wanted).unwrap())
        };
        let (viewer, operator) = (role("nova-viewer"), role("nova-operator"));
        let more: Vec<&String> = operator.difference(&viewer).collect();
        assert_eq!(
            more,
            [
                "create pods/eviction",
                "delete pods",
                "get deployments/scale",
                "get statefulsets/scale",
                "patch deployments",
                "patch deployments/scale",
                "patch horizontalpodautoscalers",
                "patch pods",
                "patch statefulsets",
                "patch statefulsets/scale",
                "update deployments/scale",
                "update statefulsets/scale",
            ]
        );
        assert!(viewer.is_subset(&operator));
    }
}

#[test]
fn no_role_is_anybodys_and_none_reads_a_secret_or_enters_a_container() {
    let objects = objects(&spec("nova"), Profile::Small);
    for role in of_kind(&objects, "Role").chain(of_kind(&objects, "ClusterRole")) {
        for rule in items(&role["rules"]) {
            let words = [
                texts(&rule["resources"]),
                texts(&rule["verbs"]),
                texts(&rule["apiGroups"]),
            ]
            .concat();
            for word in [
                "secrets",
                "pods/exec",
                "pods/attach",
                "pods/ephemeralcontainers",
                "serviceaccounts/token",
                "*",
            ] {
                assert!(!words.contains(&word), "{word} in {}", place(role));
            }
        }
    }
    assert_eq!(
        of_kind(&objects, "RoleBinding")
            .chain(of_kind(&objects, "ClusterRoleBinding"))
            .count(),
        0
    );
}
