//! Pods as the API server shows them, and the members that they are.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use nova_platform::target::{MemberStatus, RunState};
use serde_json::{Value, json};

use super::{is_ready, member, trouble};

const NOW: &str = "2026-01-01T00:01:00Z";

fn pod(owner: &str, status: &Value) -> Pod {
    serde_json::from_value(json!({
        "metadata": {
            "name": "redis-1", "labels": {"app.kubernetes.io/component": "redis"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": owner, "name": "x", "uid": "u"}],
        },
        "spec": {"nodeName": "node-2", "containers": []},
        "status": status,
    }))
    .unwrap()
}

fn seen(pod: &Pod) -> Option<MemberStatus> {
    let now: Timestamp = NOW.parse().unwrap();
    member(pod, &BTreeSet::new(), now, false)
}

fn container(state: &Value, last: &Value, restarts: i32) -> Value {
    json!({"phase": "Running", "containerStatuses": [{
        "name": "redis", "image": "localhost/nova/redis:1", "imageID": "", "ready": false,
        "restartCount": restarts, "state": state, "lastState": last,
    }]})
}

#[test]
fn a_running_pod_is_a_running_member() {
    let status = container(
        &json!({"running": {"startedAt": "2026-01-01T00:00:30Z"}}),
        &json!({}),
        0,
    );
    let member = seen(&pod("StatefulSet", &status)).unwrap();
    assert_eq!(
        (member.state, member.node.as_str(), member.restarts),
        (RunState::Running, "node-2", 0)
    );
    assert_eq!(
        (member.started_at_ms, member.last_exit),
        (Some(1_767_225_630_000), None)
    );
}

#[test]
fn what_waiting_does_not_mend_has_failed_and_says_why() {
    for reason in [
        "ImagePullBackOff",
        "ErrImageNeverPull",
        "InvalidImageName",
        "CreateContainerConfigError",
    ] {
        let status = container(
            &json!({"waiting": {"reason": reason, "message": "no such thing"}}),
            &json!({}),
            0,
        );
        let member = seen(&pod("StatefulSet", &status)).unwrap();
        assert_eq!(member.state, RunState::Failed, "{reason}");
        let why = member.last_exit.unwrap();
        assert_eq!(why, format!("{reason}: image localhost/nova/redis:1: no such thing"));
    }
    let status = container(&json!({"waiting": {"reason": "ContainerCreating"}}), &json!({}), 0);
    assert_eq!(seen(&pod("StatefulSet", &status)).unwrap().state, RunState::Stopped);
}

#[test]
fn a_crash_loop_tells_how_it_last_ended() {
    let waits = json!({"waiting": {"reason": "CrashLoopBackOff"}});
    let ends = [
        (json!({"exitCode": 1, "reason": "Error"}), "exit status 1"),
        (
            json!({"exitCode": 137, "reason": "OOMKilled"}),
            "signal 9 (SIGKILL): more memory than its limit (OOMKilled)",
        ),
        (
            json!({"exitCode": 128, "reason": "StartError", "message": "no such file"}),
            "exit status 128: StartError: no such file",
        ),
        (json!({"exitCode": 143, "reason": "Error"}), "signal 15 (SIGTERM)"),
    ];
    for (ended, words) in ends {
        let member = seen(&pod(
            "StatefulSet",
            &container(&waits, &json!({"terminated": ended}), 4),
        ))
        .unwrap();
        assert_eq!((member.state, member.restarts), (RunState::Backoff, 4));
        assert_eq!(member.last_exit.as_deref(), Some(words));
    }
}

#[test]
fn a_pod_without_a_place_has_failed_after_ten_seconds() {
    let status = |since: &str| {
        json!({"phase": "Pending", "conditions": [{
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": "0/3 nodes are available", "lastTransitionTime": since,
        }]})
    };
    let member = seen(&pod("StatefulSet", &status("2026-01-01T00:00:30Z"))).unwrap();
    assert_eq!(member.state, RunState::Failed);
    assert_eq!(
        member.last_exit.as_deref(),
        Some("no node takes it: 0/3 nodes are available")
    );
    assert_eq!(
        seen(&pod("StatefulSet", &status("2026-01-01T00:00:55Z")))
            .unwrap()
            .state,
        RunState::Stopped
    );
}

#[test]
fn a_pod_on_a_lost_node_is_unreachable_whatever_it_was() {
    let status = container(
        &json!({"running": {"startedAt": "2026-01-01T00:00:30Z"}}),
        &json!({}),
        0,
    );
    let down = BTreeSet::from(["node-2".to_owned()]);
    let member = member(&pod("ReplicaSet", &status), &down, NOW.parse().unwrap(), false).unwrap();
    assert_eq!(member.state, RunState::Unreachable);
}

#[test]
fn a_replaced_pod_is_no_member_and_a_stores_stays_one() {
    let mut leaving = pod("ReplicaSet", &json!({"phase": "Running"}));
    leaving.metadata.deletion_timestamp = serde_json::from_value(json!(NOW)).unwrap();
    assert_eq!(seen(&leaving), None);
    assert_eq!(
        seen(&pod("ReplicaSet", &json!({"phase": "Failed", "reason": "Evicted"}))),
        None
    );
    let evicted = json!({"phase": "Failed", "reason": "Evicted", "message": "the node was low on memory"});
    let member = seen(&pod("StatefulSet", &evicted)).unwrap();
    assert_eq!(member.state, RunState::Backoff);
    assert_eq!(member.last_exit.as_deref(), Some("Evicted: the node was low on memory"));
}

#[test]
fn readiness_and_trouble_are_told() {
    let ready = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
    assert!(is_ready(&pod("ReplicaSet", &ready)));
    let creating = container(&json!({"waiting": {"reason": "ContainerCreating"}}), &json!({}), 0);
    let creating = pod("ReplicaSet", &creating);
    assert!(!is_ready(&creating));
    assert_eq!(trouble(&creating).as_deref(), Some("redis-1: ContainerCreating"));
}

#[test]
fn what_is_about_to_be_replaced_is_no_news_of_the_change() {
    let now: Timestamp = NOW.parse().unwrap();
    let hopeless = container(&json!({"waiting": {"reason": "ErrImagePull"}}), &json!({}), 0);
    let looping = container(&json!({"waiting": {"reason": "CrashLoopBackOff"}}), &json!({}), 3);
    let runs = container(&json!({"running": {}}), &json!({}), 0);
    let state = |owner, status| member(&pod(owner, status), &BTreeSet::new(), now, true).map(|member| member.state);
    assert_eq!(state("ReplicaSet", &hopeless), None);
    assert_eq!(state("ReplicaSet", &looping), None);
    assert_eq!(state("ReplicaSet", &runs), Some(RunState::Running));
    assert_eq!(state("StatefulSet", &hopeless), Some(RunState::Backoff));
}
