//! From nothing to a healthy platform on a cluster and back, as the README and the guide tell it; and what is lost on the way. One
//! platform for all of it, since a deploy and a cleanup take minutes.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::access::a_viewer_reads_and_does_not_write;
use crate::faults::pods_nodes_and_the_whole_cluster_may_be_lost;
use crate::support::session::{first_session, sees_the_post};
use crate::support::{Cluster, Platform, names};

/// What a second deploy must not touch: each object's generation, each pod's uid and restarts.
fn fingerprint(platform: &Platform) -> BTreeMap<String, String> {
    let kinds = "pods,services,deployments,statefulsets,configmaps,secrets,networkpolicies,poddisruptionbudgets,\
                 horizontalpodautoscalers,resourcequotas,limitranges,roles,serviceaccounts,persistentvolumeclaims";
    let mut all = BTreeMap::new();
    for namespace in platform.namespaces() {
        let found = platform.cluster.get(&[kinds, "-n", &namespace]);
        for object in found["items"].as_array().unwrap() {
            let metadata = &object["metadata"];
            let name = format!("{} {namespace}/{}", object["kind"], metadata["name"]);
            let restarts = &object["status"]["containerStatuses"][0]["restartCount"];
            all.insert(
                name,
                format!("{} {} {restarts}", metadata["uid"], metadata["generation"]),
            );
        }
    }
    all
}

#[test]
fn a_platform_comes_up_on_a_cluster_changes_and_survives_lost_pods_nodes_and_the_whole_cluster() {
    let Some(cluster) = Cluster::given() else { return };
    let platform = Platform::new(&cluster, "k8s-life", "");
    let absent = platform.nova(&["status", "-o", "json"]).expect_code(3).json();
    assert_eq!(
        (&absent["target"], &absent["verdict"]),
        (&"kubernetes".into(), &"absent".into())
    );

    let deployed = platform.nova(&["deploy", "--yes", "-o", "json"]).expect_code(0);
    eprintln!("{}", deployed.stderr);
    let deployed = deployed.json();
    assert_eq!(
        (&deployed["schema"], &deployed["result"]),
        (&"nova.deploy/v1".into(), &"deployed".into())
    );
    status_shows_everything(&platform);
    platform.nova(&["verify"]).expect_code(0);
    let reader = first_session(&platform);
    logs_are_shown(&platform);
    a_viewer_reads_and_does_not_write(&platform);

    let before = fingerprint(&platform);
    let again = platform.nova(&["deploy", "--yes", "-o", "json"]).expect_code(0).json();
    assert_eq!(again["result"], "unchanged", "{again:#}");
    assert_eq!(before, fingerprint(&platform));
    platform.nova(&["diff"]).expect_code(0);

    a_change_touches_what_it_concerns(&platform);

    let cleaned = platform.nova(&["cleanup", "--yes"]).expect_code(0);
    assert!(cleaned.stdout.contains("stay"), "{}", cleaned.stdout);
    nothing_but_data_is_left(&platform);
    platform.nova(&["status"]).expect_code(3);
    platform.nova(&["deploy", "--yes"]).expect_code(0);
    sees_the_post(&platform, &reader);
    pods_nodes_and_the_whole_cluster_may_be_lost(&platform, &reader);
}

fn status_shows_everything(platform: &Platform) {
    let status = platform.nova(&["status", "-o", "json"]).expect_code(0).json();
    assert_eq!(
        (&status["schema"], &status["target"], &status["verdict"]),
        (&"nova.status/v1".into(), &"kubernetes".into(), &"healthy".into())
    );
    let count = |component: &str| {
        let of = status["components"]
            .as_array()
            .unwrap()
            .iter()
            .find(|found| found["name"] == component);
        of.map_or(0, |found| found["members"].as_array().unwrap().len())
    };
    let wanted = [
        ("etcd", 3),
        ("postgres", 3),
        ("redis", 6),
        ("kafka", 3),
        ("gateway", 2),
        ("auth-service", 2),
        ("user-service", 3),
    ];
    for (component, members) in wanted {
        assert_eq!(count(component), members, "{component}: {status:#}");
    }
    // Stores stand on different nodes, so that a node takes one member of each with it.
    for area in ["redis", "database", "kafka"] {
        let mut places: Vec<(String, String)> = platform
            .pods(area)
            .iter()
            .map(|pod| {
                let app = pod["metadata"]["labels"]["app.kubernetes.io/name"].to_string();
                (app, pod["spec"]["nodeName"].to_string())
            })
            .filter(|(app, _)| !app.contains("gateway"))
            .collect();
        let all = places.len();
        places.sort();
        places.dedup();
        assert_eq!(places.len(), all, "two members of one store share a node: {places:?}");
    }
}

fn logs_are_shown(platform: &Platform) {
    let logs = platform.nova(&["logs", "postgres-1"]).expect_code(0).stdout;
    assert!(logs.contains("postgres-1"), "{logs}");
    let grepped = platform
        .nova(&["logs", "auth-service", "--grep", "no such line"])
        .expect_code(0);
    assert_eq!(grepped.stdout, "");
    platform.nova(&["logs", "mysql"]).expect_code(2);
}

fn a_change_touches_what_it_concerns(platform: &Platform) {
    let before = fingerprint(platform);
    platform.describe("[services.auth-service]\ndatabase_pool = 9\n");
    let diff = platform.nova(&["diff"]).expect_code(3).stdout;
    assert!(diff.contains("auth-service"), "{diff}");
    platform.nova(&["deploy", "--yes"]).expect_code(0);
    let after = fingerprint(platform);
    let is_pod = |name: &&String| name.starts_with("\"Pod\"");
    let kept = |name: &&String| !name.contains("auth-service");
    let pods = |all: &BTreeMap<String, String>| -> Vec<(String, String)> {
        let all = all.iter().filter(|(name, _)| is_pod(name) && kept(name));
        all.map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    assert_eq!(pods(&before), pods(&after));
    assert_ne!(before, after);
}

/// Volumes and what they need stay, and nothing else of it.
fn nothing_but_data_is_left(platform: &Platform) {
    for namespace in platform.namespaces() {
        let found = platform.cluster.kubectl(&[
            "get",
            "pods,deployments,statefulsets,services,networkpolicies,horizontalpodautoscalers",
            "-n",
            &namespace,
            "-o",
            "json",
        ]);
        let found: Value = found.json();
        assert!(names(&found).is_empty(), "{namespace}: {:?}", names(&found));
    }
    let volumes = platform
        .cluster
        .get(&["persistentvolumeclaims", "-n", &platform.namespace("database")]);
    assert_eq!(names(&volumes).len(), 6, "{:?}", names(&volumes));
}
