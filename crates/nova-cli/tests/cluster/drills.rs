//! `nova drill` on a cluster: the same words as on one machine, clients inside, pods and nodes instead of processes.

use serde_json::Value;

use crate::accepted::accepted;
use crate::support::{Call, Platform};

/// A run of each kind of fault that a cluster has, on a platform that is healthy and is so again.
pub(crate) fn drills_break_and_measure(platform: &Platform) {
    for (component, fault, stores) in [
        ("postgres", "crash", vec!["postgres"]),
        ("redis", "switchover", vec!["redis"]),
        ("kafka", "kill", vec!["kafka"]),
        ("redis", "stop", vec!["redis"]),
        ("auth-service", "rolling", vec!["requests"]),
        ("node", "node", vec!["postgres", "redis", "kafka", "posts"]),
        ("node", "drain", vec!["postgres", "redis", "kafka", "posts", "requests"]),
    ] {
        let report = drill(platform, &[component, "--fault", fault, "--for", "10s"]);
        assert_eq!(
            (&report["schema"], &report["target"]),
            (&"nova.drill/v1".into(), &"kubernetes".into())
        );
        let run = &report["drills"][0]["runs"][0];
        assert!(
            run["rto_ms"].is_u64() && run["rejoined_ms"].is_u64(),
            "{component} {fault}: {run:#}"
        );
        let told: Vec<&str> = run["stores"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|store| store["store"].as_str())
            .collect();
        assert_eq!(told, stores, "{component} {fault}");
        for store in run["stores"].as_array().unwrap() {
            assert!(
                store["acknowledged"].as_u64() > Some(0),
                "{component} {fault}: {store:#}"
            );
            if store["store"] != "redis" && store["store"] != "requests" {
                assert_eq!(store["lost"], 0, "{component} {fault}: {store:#}");
            }
        }
    }
    every_node_takes_pods_again(platform);
    for fault in ["partition", "disk-full"] {
        let refused = platform.nova(&["drill", "postgres", "--fault", fault]).expect_code(2);
        assert!(
            refused.stderr.contains("not available on a cluster"),
            "{}",
            refused.stderr
        );
    }
    let refused = platform.nova(&["drill", "node", "--member", "node-99"]).expect_code(2);
    assert!(refused.stderr.contains("node-99"), "{}", refused.stderr);
}

/// Budgets are for a quiet machine: what a run cost is looked at here, not whether that was too much.
fn drill(platform: &Platform, args: &[&str]) -> Value {
    let mut command = platform.drill(&[&["--seed", "1", "--rate", "100"], args].concat());
    let call = Call::of(&command.output().unwrap());
    accepted(&call)
}

fn every_node_takes_pods_again(platform: &Platform) {
    let nodes = platform.cluster.get(&["nodes"]);
    for node in nodes["items"].as_array().unwrap() {
        assert!(node["spec"]["unschedulable"].is_null(), "{node:#}");
        let annotations = node["metadata"]["annotations"].to_string();
        assert!(!annotations.contains("drill"), "{annotations}");
    }
}
