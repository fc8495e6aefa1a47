//! Every pod is as safe as the house wants it, and what would not be is found.

use nova_kubernetes::profile::Profile;
use serde_json::{Value, json};

use crate::objects::{items, objects, of_kind, spec, workloads};
use crate::restricted::violations;

#[test]
fn every_pod_meets_the_rules() {
    for profile in Profile::ALL {
        let objects = objects(&spec("nova"), profile);
        let workloads = workloads(&objects);
        assert_eq!(workloads.len(), 10);
        let told: Vec<String> = workloads
            .iter()
            .flat_map(|workload| violations(workload, &objects))
            .collect();
        assert_eq!(told, Vec::<String>::new());
    }
}

/// The rules are not met by whatever comes: each change breaks one.
#[test]
fn a_pod_that_breaks_a_rule_is_found() {
    let objects = objects(&spec("nova"), Profile::Production);
    let pod = "/spec/template/spec";
    let changes = [
        ("/automountServiceAccountToken", json!(true)),
        ("/enableServiceLinks", Value::Null),
        ("/hostNetwork", json!(true)),
        ("/securityContext/runAsNonRoot", json!(false)),
        ("/securityContext/runAsUser", json!(0)),
        ("/securityContext/seccompProfile/type", json!("Unconfined")),
        ("/terminationGracePeriodSeconds", json!(1)),
        ("/volumes/0", json!({"name": "node", "hostPath": {"path": "/"}})),
        ("/containers/0/securityContext/allowPrivilegeEscalation", json!(true)),
        ("/containers/0/securityContext/readOnlyRootFilesystem", json!(false)),
        (
            "/containers/0/securityContext/capabilities",
            json!({"drop": ["ALL"], "add": ["NET_ADMIN"]}),
        ),
        ("/containers/0/resources/limits/memory", Value::Null),
        ("/containers/0/resources/requests/cpu", Value::Null),
        ("/containers/0/startupProbe", Value::Null),
        ("/containers/0/livenessProbe", Value::Null),
        ("/containers/0/lifecycle", Value::Null),
        ("/containers/0/image", json!("localhost/nova/redis:latest")),
        ("/affinity", Value::Null),
        ("/topologySpreadConstraints", Value::Null),
        ("/serviceAccountName", json!("default")),
    ];
    for workload in workloads(&objects) {
        for (path, value) in &changes {
            let mut changed = workload.clone();
            let place = format!("{pod}{path}");
            match changed.pointer_mut(&place) {
                Some(there) => *there = value.clone(),
                None if *path == "/hostNetwork" => changed["spec"]["template"]["spec"]["hostNetwork"] = value.clone(),
                // Something without volumes of its own has none to change.
                None => continue,
            }
            assert!(
                !violations(&changed, &objects).is_empty(),
                "{path} of {}",
                workload["metadata"]["name"]
            );
        }
    }
    for kind in [
        "PodDisruptionBudget",
        "ServiceAccount",
        "ResourceQuota",
        "LimitRange",
        "Namespace",
    ] {
        let without: Vec<Value> = objects
            .iter()
            .filter(|object| object["kind"] != kind)
            .cloned()
            .collect();
        for workload in workloads(&objects) {
            assert!(!violations(workload, &without).is_empty(), "{kind}");
        }
    }
}

#[test]
fn what_is_mounted_exists() {
    let objects = objects(&spec("nova"), Profile::Small);
    let names = |kind| -> Vec<(Value, Value)> {
        of_kind(&objects, kind)
            .map(|object| {
                (
                    object["metadata"]["namespace"].clone(),
                    object["metadata"]["name"].clone(),
                )
            })
            .collect()
    };
    let (maps, secrets) = (names("ConfigMap"), names("Secret"));
    for workload in workloads(&objects) {
        let namespace = &workload["metadata"]["namespace"];
        let pod = &workload["spec"]["template"]["spec"];
        let claims = items(&workload["spec"]["volumeClaimTemplates"]).map(|claim| &claim["metadata"]["name"]);
        let volumes: Vec<&Value> = items(&pod["volumes"])
            .map(|volume| &volume["name"])
            .chain(claims)
            .collect();
        let mounts: Vec<&Value> = items(&pod["containers"][0]["volumeMounts"])
            .map(|mount| &mount["name"])
            .collect();
        assert_eq!(volumes.len(), mounts.len(), "{workload}");
        assert!(mounts.iter().all(|mount| volumes.contains(mount)), "{workload}");
        for volume in items(&pod["volumes"]) {
            let map = &volume["configMap"]["name"];
            assert!(
                map.is_null() || maps.contains(&(namespace.clone(), map.clone())),
                "{volume}"
            );
            let secret = &volume["secret"]["secretName"];
            assert!(
                secret.is_null() || secrets.contains(&(namespace.clone(), secret.clone())),
                "{volume}"
            );
        }
    }
}

#[test]
fn the_small_profile_lowers_requests_and_nothing_else() {
    let spec = spec("nova");
    let without_requests = |profile| {
        let mut objects = objects(&spec, profile);
        for object in &mut objects {
            if let Some(container) = object.pointer_mut("/spec/template/spec/containers/0/resources") {
                assert!(container["requests"].take().is_object());
            }
            if object["kind"] == "ResourceQuota" {
                for amount in ["requests.cpu", "requests.memory"] {
                    assert!(object["spec"]["hard"][amount].take().is_string());
                }
            }
        }
        objects
    };
    assert_eq!(without_requests(Profile::Production), without_requests(Profile::Small));
    let asked = |profile| {
        let objects = objects(&spec, profile);
        let user = workloads(&objects)
            .into_iter()
            .find(|workload| workload["metadata"]["name"] == "user-service")
            .cloned();
        user.unwrap()["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"].clone()
    };
    let (production, small) = (asked(Profile::Production), asked(Profile::Small));
    assert_eq!(
        production,
        json!({"cpu": "500m", "memory": "512Mi", "ephemeral-storage": "64Mi"})
    );
    assert_eq!(
        small,
        json!({"cpu": "100m", "memory": "256Mi", "ephemeral-storage": "64Mi"})
    );
}

/// A Deployment that load scales has no number of its own, and all others have no autoscaler.
#[test]
fn only_the_autoscaler_owns_the_number_of_what_it_scales() {
    let objects = objects(&spec("nova"), Profile::Production);
    let scaled: Vec<&Value> = of_kind(&objects, "HorizontalPodAutoscaler").collect();
    assert_eq!(scaled.len(), 1);
    let range = (&scaled[0]["spec"]["minReplicas"], &scaled[0]["spec"]["maxReplicas"]);
    assert_eq!(range, (&json!(3), &json!(10)));
    for workload in workloads(&objects) {
        let is_scaled = scaled[0]["spec"]["scaleTargetRef"]["name"] == workload["metadata"]["name"];
        assert_eq!(
            workload["spec"]["replicas"].is_null(),
            is_scaled,
            "{}",
            workload["metadata"]["name"]
        );
    }
}

/// A service has ended by itself before it is ended.
#[test]
fn a_service_has_time_to_drain() {
    let objects = objects(&spec("nova"), Profile::Small);
    for name in ["user-service", "auth-service"] {
        let workload = workloads(&objects)
            .into_iter()
            .find(|workload| workload["metadata"]["name"] == name)
            .unwrap();
        let pod = &workload["spec"]["template"]["spec"];
        let container = &pod["containers"][0];
        let drain = items(&container["env"])
            .find(|variable| variable["name"] == "NOVA_DRAIN_TIMEOUT")
            .unwrap();
        let drain: u64 = drain["value"].as_str().unwrap().trim_end_matches('s').parse().unwrap();
        let linger = container["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().unwrap();
        assert_eq!(pod["terminationGracePeriodSeconds"], 30);
        assert!(linger + drain < 30, "{name}: {linger} s and {drain} s");
    }
}
