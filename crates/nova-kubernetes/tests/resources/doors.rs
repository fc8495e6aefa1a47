//! The gateway's doors to services: Services, ports and configuration agree with each other.

use std::collections::BTreeMap;

use nova_kubernetes::profile::Profile;
use nova_platform::spec::Spec;
use serde_json::{Value, json};

use crate::objects::{items, objects, of_kind, place, spec, with_changes, workloads};

fn service<'a>(objects: &'a [Value], wanted: &str) -> &'a Value {
    let found = of_kind(objects, "Service").find(|service| place(service) == wanted);
    found.unwrap_or_else(|| panic!("no Service {wanted}"))
}

/// The shipped services, and one whose name is longer than a container port's may be.
fn with_messaging() -> Spec {
    let mut spec = spec("nova");
    let mut messaging = spec.services["user-service"].clone();
    messaging.port = 8085;
    spec.services.insert("messaging-service".to_owned(), messaging);
    spec
}

fn haproxy(objects: &[Value]) -> String {
    let map = of_kind(objects, "ConfigMap").find(|map| map["metadata"]["name"] == "gateway-config");
    map.unwrap()["data"]["haproxy.cfg"].as_str().unwrap().to_owned()
}

/// Each service is met at the gateway under its own name and port, through a container port that HAProxy listens on.
#[test]
fn every_service_has_a_door_in_the_gateway() {
    let spec = with_messaging();
    let objects = objects(&spec, Profile::Production);
    let pods = workloads(&objects)
        .into_iter()
        .find(|workload| workload["metadata"]["name"] == "gateway")
        .unwrap();
    let containers: BTreeMap<&str, &Value> = items(&pods["spec"]["template"]["spec"]["containers"][0]["ports"])
        .map(|port| (port["name"].as_str().unwrap(), &port["containerPort"]))
        .collect();
    assert!(containers.keys().all(|name| name.len() <= 15), "{containers:?}");
    let doors = service(&objects, "nova-database/gateway");
    assert_eq!(doors["spec"]["type"], "ClusterIP");
    let ports: BTreeMap<&str, &Value> = items(&doors["spec"]["ports"])
        .map(|port| (port["name"].as_str().unwrap(), port))
        .collect();
    assert_eq!(ports.len(), spec.public_services().count());
    let text = haproxy(&objects);
    for (name, described) in spec.public_services() {
        let port = ports[name.as_str()];
        assert_eq!(port["port"], described.port);
        assert_eq!(*containers[port["targetPort"].as_str().unwrap()], described.port);
        let frontend = format!(
            "\nfrontend {name}\n    mode http\n    bind 0.0.0.0:{}\n",
            described.port
        );
        assert!(text.contains(&frontend), "{text}");
    }
}

/// HAProxy uses an address before its first check, so only pods that are ready may be named.
#[test]
fn the_gateway_finds_the_members_that_are_ready_and_has_room_for_an_update() {
    let spec = with_messaging();
    let objects = objects(&spec, Profile::Production);
    let text = haproxy(&objects);
    for (name, described) in spec.public_services() {
        let headless = service(&objects, &format!("nova-services/{name}-members"));
        let whole = service(&objects, &format!("nova-services/{name}"));
        assert_eq!(headless["spec"]["clusterIP"], "None");
        assert_ne!(headless["spec"]["publishNotReadyAddresses"], true);
        assert_eq!(headless["spec"]["selector"], whole["spec"]["selector"]);
        assert_eq!(headless["spec"]["ports"], whole["spec"]["ports"]);
        assert_eq!(headless["metadata"]["labels"], whole["metadata"]["labels"]);
        let slots = 2 * described.members.max(described.members_max) + 1;
        let port = described.port;
        for server in [
            format!(
                "server-template {name}- {slots} {name}-members.nova-services.svc.cluster.local:{port} check port "
            ),
            format!("server {name} {name}.nova-services.svc.cluster.local:{port} check port "),
        ] {
            assert!(text.contains(&server), "no {server:?} in\n{text}");
        }
    }
    assert!(text.contains("server-template user-service- 21 "), "{text}");
}

/// One that nobody meets has a Deployment that is asked at its operations port, and neither doors nor an autoscaler.
#[test]
fn a_service_that_is_not_public_has_no_doors_and_is_not_scaled() {
    let objects = objects(&with_changes(), Profile::Production);
    assert!(!haproxy(&objects).contains("cdc-service"));
    for kind in ["Service", "HorizontalPodAutoscaler"] {
        assert!(
            of_kind(&objects, kind).all(|object| !place(object).contains("cdc-service")),
            "{kind}"
        );
    }
    let doors = service(&objects, "nova-database/gateway");
    assert!(items(&doors["spec"]["ports"]).all(|port| port["port"] != 8087));
    let workloads = workloads(&objects);
    let pods = workloads
        .iter()
        .find(|workload| workload["metadata"]["name"] == "cdc-service")
        .unwrap();
    assert_eq!(pods["spec"]["replicas"], 2);
    let container = &pods["spec"]["template"]["spec"]["containers"][0];
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        assert_eq!(container[probe]["httpGet"]["port"], 9087, "{probe}");
    }
    let secret = of_kind(&objects, "Secret").find(|secret| place(secret) == "nova-services/cdc-service");
    let keys: Vec<&String> = secret.unwrap()["stringData"].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["postgres-cdc-service"]);
}

/// A description may have no services: then there is nothing to open.
#[test]
fn without_services_there_are_no_doors_to_them() {
    let mut spec = spec("nova");
    spec.services.clear();
    let objects = objects(&spec, Profile::Small);
    assert!(of_kind(&objects, "Service").all(|service| place(service) != "nova-database/gateway"));
    let policy = of_kind(&objects, "NetworkPolicy").find(|policy| place(policy) == "nova-database/gateway");
    // No list of ports would be every port, and no list of peers everyone.
    for rule in items(&policy.unwrap()["spec"]["ingress"]) {
        assert!(
            items(&rule["ports"]).count() > 0 && items(&rule["from"]).count() > 0,
            "{rule}"
        );
    }
}

/// Services call each other through the gateway, where a call is repeated as a client's is.
#[test]
fn services_meet_each_other_at_the_gateway() {
    let objects = objects(&spec("nova"), Profile::Small);
    let variable = |workload: &str, name: &str| {
        let workloads = workloads(&objects);
        let found = workloads
            .iter()
            .find(|one| one["metadata"]["name"] == workload)
            .unwrap();
        let env = &found["spec"]["template"]["spec"]["containers"][0]["env"];
        let variable = items(env).find(|variable| variable["name"] == name).unwrap();
        variable["value"].clone()
    };
    let gateway = "http://gateway.nova-database.svc.cluster.local";
    assert_eq!(
        variable("user-service", "NOVA_AUTH_SERVICE_URL"),
        json!(format!("{gateway}:8084"))
    );
    assert_eq!(
        variable("auth-service", "NOVA_USER_SERVICE_URL"),
        json!(format!("{gateway}:8080"))
    );
}
