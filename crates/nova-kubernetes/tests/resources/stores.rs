//! Stores: names, addresses and volumes of members, and what replaces them.

use std::collections::BTreeSet;

use nova_kubernetes::names::member_host;
use nova_kubernetes::profile::Profile;
use nova_platform::spec::Spec;
use nova_platform::topology::{Kind, components};
use nova_platform::units::Size;
use serde_json::Value;

use crate::objects::{items, objects, of_kind, place, spec, workloads};

fn stateful_set(spec: &Spec, name: &str) -> Value {
    let objects = objects(spec, Profile::Production);
    let found = of_kind(&objects, "StatefulSet").find(|set| set["metadata"]["name"] == name);
    found.unwrap().clone()
}

fn digest(spec: &Spec, name: &str) -> Value {
    stateful_set(spec, name)["spec"]["template"]["metadata"]["annotations"]["nova/config"].clone()
}

/// Each member of a store is met under the name that its configuration gives the others: a Service of its own, over its pod.
#[test]
fn every_member_of_a_store_has_an_address_of_its_own() {
    let spec = spec("nova");
    let objects = objects(&spec, Profile::Production);
    let pods: BTreeSet<String> = of_kind(&objects, "StatefulSet")
        .flat_map(|set| {
            let (name, start) = (
                set["metadata"]["name"].as_str().unwrap(),
                &set["spec"]["ordinals"]["start"],
            );
            assert_eq!(
                (start, &set["spec"]["podManagementPolicy"]),
                (&1.into(), &"Parallel".into())
            );
            (1..=set["spec"]["replicas"].as_u64().unwrap()).map(move |ordinal| format!("{name}-{ordinal}"))
        })
        .collect();
    let stores = components(&spec).into_iter().flat_map(|component| component.members);
    let mut members = 0;
    for member in stores.filter(|member| !matches!(member.kind, Kind::Gateway | Kind::Service)) {
        assert!(pods.contains(&member.name), "{} is no pod", member.name);
        let service = of_kind(&objects, "Service")
            .find(|service| service["metadata"]["name"] == member.name.as_str())
            .unwrap();
        assert_eq!(
            service["spec"]["selector"]["statefulset.kubernetes.io/pod-name"],
            member.name.as_str()
        );
        assert_eq!(service["spec"]["publishNotReadyAddresses"], true);
        let namespace = service["metadata"]["namespace"].as_str().unwrap();
        assert_eq!(
            member_host(&spec, &member),
            format!("{}.{namespace}.svc.cluster.local", member.name)
        );
        members += 1;
    }
    assert_eq!(members, pods.len());
    for set in of_kind(&objects, "StatefulSet") {
        let governing = format!(
            "{}/{}",
            set["metadata"]["namespace"].as_str().unwrap(),
            set["spec"]["serviceName"].as_str().unwrap()
        );
        let service = of_kind(&objects, "Service")
            .find(|service| place(service) == governing)
            .unwrap();
        assert_eq!(service["spec"]["clusterIP"], "None");
    }
}

/// Every port of a Service leads to a port that the pods behind it have.
#[test]
fn services_lead_somewhere() {
    let objects = objects(&spec("nova"), Profile::Production);
    for service in of_kind(&objects, "Service") {
        let name = service["metadata"]["labels"]["app.kubernetes.io/name"]
            .as_str()
            .unwrap();
        let workloads = workloads(&objects);
        let behind = workloads
            .iter()
            .find(|workload| workload["metadata"]["name"] == name)
            .unwrap();
        assert_eq!(behind["metadata"]["namespace"], service["metadata"]["namespace"]);
        let ports = &behind["spec"]["template"]["spec"]["containers"][0]["ports"];
        for port in items(&service["spec"]["ports"]) {
            assert!(
                items(ports).any(|own| own["name"] == port["targetPort"]),
                "{} of {}",
                port,
                place(service)
            );
        }
    }
    let doors = [
        "nova-redis/redis-sentinel",
        "nova-database/postgres-primary",
        "nova-database/postgres-replicas",
        "nova-database/gateway",
        "nova-kafka/kafka",
    ];
    for door in doors
        .into_iter()
        .chain(["nova-services/user-service", "nova-services/auth-service"])
    {
        assert!(
            of_kind(&objects, "Service").any(|service| place(service) == door),
            "{door}"
        );
    }
}

#[test]
fn volumes_are_as_described_and_stay() {
    let mut spec = spec("nova");
    let claim = |spec: &Spec| stateful_set(spec, "redis")["spec"]["volumeClaimTemplates"][0]["spec"].clone();
    assert_eq!(claim(&spec)["resources"]["requests"]["storage"], "5Gi");
    assert!(claim(&spec)["storageClassName"].is_null(), "the cluster's default");
    spec.kubernetes.storage_class = "fast".to_owned();
    spec.kubernetes.volumes.redis = Size(1536 << 20);
    assert_eq!(claim(&spec)["resources"]["requests"]["storage"], "1536Mi");
    assert_eq!(claim(&spec)["storageClassName"], "fast");
    for set in of_kind(&objects(&spec, Profile::Small), "StatefulSet") {
        let policy = &set["spec"]["persistentVolumeClaimRetentionPolicy"];
        assert_eq!(
            (&policy["whenDeleted"], &policy["whenScaled"]),
            (&"Retain".into(), &"Retain".into())
        );
    }
}

#[test]
fn a_changed_configuration_replaces_the_pods_that_it_concerns() {
    let before = spec("nova");
    let mut after = before.clone();
    after.redis.min_replicas_max_lag = nova_platform::units::Duration(std::time::Duration::from_secs(7));
    assert_ne!(digest(&before, "redis"), digest(&after, "redis"));
    for other in ["postgres", "kafka"] {
        assert!(digest(&before, other).is_string());
        assert_eq!(digest(&before, other), digest(&after, other), "{other}");
    }
}

/// Patroni keeps the cluster's settings in etcd, where deploy changes them: its pods need not be replaced.
#[test]
fn a_changed_setting_of_the_cluster_replaces_no_server() {
    let before = spec("nova");
    let mut after = before.clone();
    after.postgres.max_connections = 300;
    assert_eq!(stateful_set(&before, "postgres"), stateful_set(&after, "postgres"));
    assert_ne!(objects(&before, Profile::Small), objects(&after, Profile::Small));
}

#[test]
fn redis_has_room_for_what_it_writes() {
    let mut spec = spec("nova");
    let line = |spec: &Spec| {
        let objects = objects(spec, Profile::Small);
        let map = of_kind(&objects, "ConfigMap")
            .find(|map| map["metadata"]["name"] == "redis-config")
            .cloned()
            .unwrap();
        let text = map["data"]["redis-2.base.conf"].as_str().unwrap().to_owned();
        text.lines()
            .find(|line| line.starts_with("maxmemory "))
            .unwrap()
            .to_owned()
    };
    assert_eq!(line(&spec), format!("maxmemory {}", 307 << 20), "60 % of the limit");
    spec.redis.maxmemory = Size(100 << 20);
    assert_eq!(line(&spec), format!("maxmemory {}", 100 << 20));
}
