//! Pods, nodes and the whole cluster are lost under clients that keep a ledger: nothing acknowledged is lost where that is
//! promised, and everything is whole again without a human.

use std::process::Stdio;

use crate::drills::drills_break_and_measure;
use crate::scaling::{load_adds_members, without_load_they_go};
use crate::support::session::{first_session, sees_the_post};
use crate::support::watch::Watch;
use crate::support::{Cluster, Platform, WHOLE_AGAIN, wait_for};

#[test]
fn pods_nodes_and_the_whole_cluster_may_be_lost() {
    let Some(cluster) = Cluster::given() else { return };
    let platform = Platform::new(&cluster, "k8s-faults", "");
    platform.nova(&["deploy", "--yes"]).expect_code(0);
    let reader = first_session(&platform);

    drills_break_and_measure(&platform);
    pods_are_deleted(&platform);
    load_adds_members(&platform);
    a_service_rolls_without_a_failed_request(&platform);
    every_node_can_be_drained(&platform);
    if cluster.has_power() {
        for node in cluster.nodes() {
            a_node_is_lost(&platform, &node);
        }
        the_whole_cluster_starts_cold(&platform);
    }
    sees_the_post(&platform, &reader);
    without_load_they_go(&platform);
}

/// Every single one in turn, without being asked to end. Those of the agents last: the clients run beside one.
fn pods_are_deleted(platform: &Platform) {
    let watch = Watch::start(platform, &["--rate", "200"]);
    for area in ["database", "redis", "kafka", "services"] {
        for pod in names_of(&platform.pods(area)) {
            delete(platform, area, &pod);
        }
    }
    watch.end();
    for agent in names_of(&platform.pods("system")) {
        delete(platform, "system", &agent);
    }
}

fn names_of(pods: &[serde_json::Value]) -> Vec<String> {
    let names = pods.iter().map(|pod| pod["metadata"]["name"].as_str().unwrap());
    names.map(str::to_owned).collect()
}

#[track_caller]
fn delete(platform: &Platform, area: &str, pod: &str) {
    let namespace = platform.namespace(area);
    // The autoscaler may have been faster with a pod that it had added for the clients.
    let delete = [
        "delete",
        "pod",
        "-n",
        &namespace,
        pod,
        "--grace-period=0",
        "--force",
        "--ignore-not-found",
    ];
    platform.cluster.kubectl(&delete).expect_code(0);
    platform.wait_until_healthy(&format!("after {pod} was deleted"));
}

/// 10,000 requests while every member of user-service is replaced.
fn a_service_rolls_without_a_failed_request(platform: &Platform) {
    let watch = Watch::start(platform, &["user-service", "--rate", "500"]);
    let namespace = platform.namespace("services");
    let restart = ["rollout", "restart", "-n", &namespace, "deployment/user-service"];
    platform.cluster.kubectl(&restart).expect_code(0);
    let status = [
        "rollout",
        "status",
        "-n",
        &namespace,
        "deployment/user-service",
        "--timeout=300s",
    ];
    platform.cluster.kubectl(&status).expect_code(0);
    // Until the requests are as many as promised.
    std::thread::sleep(std::time::Duration::from_secs(30));
    let stores = watch.end();
    let asked = &stores[0];
    assert_eq!(asked["failed"], 0, "{asked:#}");
    assert!(asked["acknowledged"].as_u64().unwrap() >= 10_000, "{asked:#}");
}

/// As for an upgrade of each node in turn; the budgets let one member of a store go at a time.
fn every_node_can_be_drained(platform: &Platform) {
    for node in platform.cluster.nodes() {
        let drain = [
            "drain",
            &node,
            "--ignore-daemonsets",
            "--delete-emptydir-data",
            "--timeout=240s",
        ];
        let mut drain = platform.cluster.kubectl_command(&drain);
        let output = drain.stdout(Stdio::piped()).output().unwrap();
        platform.cluster.kubectl(&["uncordon", &node]).expect_code(0);
        assert!(
            output.status.success(),
            "{node}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        platform.wait_until_healthy(&format!("after {node} was drained"));
    }
}

/// Without power for as long as it takes until everything serves without it.
fn a_node_is_lost(platform: &Platform, node: &str) {
    let watch = Watch::start(platform, &["--avoid-node", node]);
    platform.cluster.power(false, node);
    wait_for("serving without the node", WHOLE_AGAIN, || {
        let status = platform.status();
        status["verdict"] == "degraded" && {
            let components = status["components"].as_array().unwrap();
            components.iter().all(|component| component["verdict"] != "down")
        }
    });
    platform.cluster.power(true, node);
    platform.wait_until_healthy(&format!("after {node} returned"));
    eprintln!("{node} was lost:");
    watch.end();
}

/// All nodes lose their power at once, and get it back together.
fn the_whole_cluster_starts_cold(platform: &Platform) {
    let nodes = platform.cluster.nodes();
    for node in &nodes {
        platform.cluster.power(false, node);
    }
    for node in &nodes {
        platform.cluster.power(true, node);
    }
    platform.wait_until_healthy("after a cold start");
    platform.nova(&["verify"]).expect_code(0);
}
