//! Pods, nodes and the whole cluster are lost under clients that keep a ledger: nothing acknowledged is lost where that is
//! promised, and everything is whole again without a human.

use std::process::Stdio;

use serde_json::Value;

use crate::drills::drills_break_and_measure;
use crate::long::Long;
use crate::scaling::{load_adds_members, without_load_they_go};
use crate::scenarios::Scenarios;
use crate::support::session::{User, sees_the_post};
use crate::support::watch::Watch;
use crate::support::{Platform, WHOLE_AGAIN, wait_for};

/// On a platform that is deployed and holds the reader's feed. What fails does not hide what comes after it, as long as the platform
/// is healthy again.
pub(crate) fn pods_nodes_and_the_whole_cluster_may_be_lost(platform: &Platform, reader: &User) {
    let mut scenarios = Scenarios::default();
    let mut run = |name: &str, scenario: &dyn Fn()| {
        scenarios.run(name, || {
            platform.wait_until_healthy(&format!("before {name}"));
            scenario();
        });
    };
    run("drills", &|| drills_break_and_measure(platform));
    run("deleted pods", &|| pods_are_deleted(platform));
    run("load", &|| load_adds_members(platform));
    run("a rolling restart", &|| {
        a_service_rolls_without_a_failed_request(platform)
    });
    run("drained nodes", &|| nodes_can_be_drained(platform));
    let cluster = &platform.cluster;
    if cluster.has_power() {
        for node in Long::EveryNodeLosesItsPower.of(cluster.nodes(), 1) {
            run(&format!("the loss of {node}"), &|| a_node_is_lost(platform, &node));
        }
        run("a cold start", &|| the_whole_cluster_starts_cold(platform));
    }
    run("the feed", &|| sees_the_post(platform, reader));
    if Long::LoadGoesAgain.at_length() {
        run("no more load", &|| without_load_they_go(platform));
    }
    scenarios.judge();
}

/// One after another, without being asked to end. Those of the agents last: the clients run beside one.
fn pods_are_deleted(platform: &Platform) {
    let every = Long::EveryPodIsDeleted.at_length();
    let watch = Watch::start(platform, &["--rate", "200"]);
    for area in ["database", "redis", "kafka", "services"] {
        let mut pods = platform.pods(area);
        if !every {
            let component = |pod: &Value| pod["metadata"]["labels"]["app.kubernetes.io/name"].to_string();
            pods.sort_by_key(component);
            pods.dedup_by_key(|pod| component(pod));
        }
        for pod in names_of(&pods) {
            delete(platform, area, &pod);
        }
    }
    watch.end();
    for agent in names_of(&platform.pods("system")) {
        delete(platform, "system", &agent);
    }
}

fn names_of(pods: &[Value]) -> Vec<String> {
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
    watch.wait_for_acknowledged(10_000);
    let stores = watch.end();
    let asked = &stores[0];
    assert_eq!(asked["failed"], 0, "{asked:#}");
}

/// As for an upgrade of each node in turn; the budgets let one member of a store go at a time.
fn nodes_can_be_drained(platform: &Platform) {
    for node in Long::EveryNodeIsDrained.of(platform.cluster.nodes(), 1) {
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
    let off = WithoutPower::of(platform, node);
    wait_for("serving without the node", WHOLE_AGAIN, || {
        let status = platform.status();
        status["verdict"] == "degraded" && {
            let components = status["components"].as_array().unwrap();
            components.iter().all(|component| component["verdict"] != "down")
        }
    });
    drop(off);
    platform.wait_until_healthy(&format!("after {node} returned"));
    eprintln!("{node} was lost:");
    watch.end();
}

/// All nodes lose their power at once, and get it back together.
fn the_whole_cluster_starts_cold(platform: &Platform) {
    let nodes = platform.cluster.nodes();
    let off: Vec<WithoutPower> = nodes.iter().map(|node| WithoutPower::of(platform, node)).collect();
    drop(off);
    platform.wait_until_healthy("after a cold start");
    platform.nova(&["verify"]).expect_code(0);
}

/// A node without power, which comes back also when the test fails.
struct WithoutPower<'a> {
    platform: &'a Platform,
    node: &'a str,
}

impl<'a> WithoutPower<'a> {
    fn of(platform: &'a Platform, node: &'a str) -> Self {
        let off = Self { platform, node };
        platform.cluster.power(false, node);
        off
    }
}

impl Drop for WithoutPower<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.platform.cluster.restore_power(self.node);
        } else {
            self.platform.cluster.power(true, self.node);
        }
    }
}
