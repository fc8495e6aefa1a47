//! Exactly the drawn flows come out of the rendered network policies.

use std::collections::{BTreeMap, BTreeSet};

use nova_kubernetes::profile::Profile;
use serde_json::{Value, json};

use crate::network::{Connections, Network};
use crate::objects::{items, objects, spec, with_changes};

/// What the picture of the architecture shows, written down by hand: from, to, TCP ports.
const DRAWN: &str = "
    auth-service -> gateway      15432 15433 8080
    auth-service -> redis        6379
    auth-service -> sentinel     26379
    user-service -> gateway      15432 15433 8084
    cdc-service  -> gateway      15432 15433
    cdc-service  -> kafka        9092

    gateway      -> auth-service 8084 9084
    gateway      -> user-service 8080 9080
    gateway      -> postgres     5432 8008
    postgres     -> postgres     5432 8008
    postgres     -> etcd         2379
    etcd         -> etcd         2379 2380

    redis        -> redis        6379
    redis        -> sentinel     26379
    sentinel     -> redis        6379
    sentinel     -> sentinel     26379

    kafka        -> kafka        9092 9093

    agent        -> etcd         2379
    agent        -> postgres     5432 8008
    agent        -> gateway      15432 15433 8080 8084
    agent        -> redis        6379
    agent        -> sentinel     26379
    agent        -> kafka        9092
    agent        -> auth-service 8084 9084
    agent        -> user-service 8080 9080
    agent        -> cdc-service  9087

    outside      -> gateway      8080 8084
    outside      -> auth-service 8084
    outside      -> user-service 8080
";

/// The drawn connections, and the question for a name, which everyone may ask everyone outside.
fn drawn() -> Connections {
    let mut all = Connections::new();
    let mut everyone = BTreeSet::new();
    for line in DRAWN.lines().filter(|line| !line.trim().is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [from, "->", to, ports @ ..] = &words[..] else {
            panic!("not a flow: {line}")
        };
        everyone.extend([*from, *to]);
        for port in ports {
            all.insert(((*from).to_owned(), (*to).to_owned(), "TCP", port.parse().unwrap()));
        }
    }
    everyone.remove("outside");
    for name in everyone {
        for protocol in ["TCP", "UDP"] {
            all.insert((name.to_owned(), "outside".to_owned(), protocol, 53));
        }
    }
    all
}

/// What policies allow, without what the world outside does with itself.
fn allowed(network: &Network) -> Connections {
    let mut all = network.connections();
    all.retain(|(from, to, ..)| from != "outside" || to != "outside");
    all
}

fn differences(network: &Network) -> Vec<String> {
    let (allowed, drawn) = (allowed(network), drawn());
    let show = |sign: &str, (from, to, protocol, port): &(String, String, &str, u16)| {
        format!("{sign} {from} -> {to} {protocol} {port}")
    };
    let missing = drawn.difference(&allowed).map(|flow| show("missing:", flow));
    let extra = allowed.difference(&drawn).map(|flow| show("not drawn:", flow));
    missing.chain(extra).collect()
}

fn network() -> Network {
    Network::of(&objects(&spec("nova"), Profile::Production))
}

#[test]
fn exactly_the_drawn_flows_are_allowed() {
    assert_eq!(differences(&network()), Vec::<String>::new());
    assert_eq!(network().peers.len(), 11, "ten workloads and the world outside");
}

/// Every port of every rule is needed: without it, something drawn is missing.
#[test]
fn no_rule_can_be_missing() {
    let whole = network();
    let mut removed = 0;
    for (network, told) in without_one(&whole) {
        let missing = differences(&network);
        // What anyone may reach, the agent, the gateway and services may reach by that rule as well.
        let of_gateway = told.starts_with("nova-database ingress") && told.ends_with(" of \"gateway\"");
        let covered = missing.is_empty() && (told.starts_with("nova-services ingress") || of_gateway);
        let noticed = missing.iter().any(|line| line.starts_with("missing:"));
        assert!(covered || noticed, "nothing is missing without {told}");
        removed += 1;
    }
    assert!(removed > 60, "only {removed} rules");
}

/// The network without one port of one rule, for each of them, and what was removed.
fn without_one(whole: &Network) -> Vec<(Network, String)> {
    let mut all = Vec::new();
    for (index, policy) in whole.policies.iter().enumerate() {
        for direction in ["ingress", "egress"] {
            for (rule, ports) in items(&policy["spec"][direction]).map(|rule| &rule["ports"]).enumerate() {
                for port in 0..items(ports).count() {
                    let mut network = whole.clone();
                    let rules = network.policies[index]["spec"][direction].as_array_mut().unwrap();
                    if items(ports).count() > 1 {
                        rules[rule]["ports"].as_array_mut().unwrap().remove(port);
                    } else {
                        rules.remove(rule);
                    }
                    let metadata = &policy["metadata"];
                    let namespace = metadata["namespace"].as_str().unwrap();
                    all.push((
                        network,
                        format!("{namespace} {direction} {rule} port {port} of {}", metadata["name"]),
                    ));
                }
            }
        }
    }
    all
}

#[test]
fn an_extra_flow_is_seen() {
    let anything = json!([{"ports": [{"port": 22}]}]);
    let mut by_policy = BTreeMap::new();
    let whole = network();
    for index in 0..whole.policies.len() {
        let mut network = whole.clone();
        let policy = &mut network.policies[index];
        let name = policy["metadata"]["name"].as_str().unwrap().to_owned();
        policy["spec"]["egress"] = anything.clone();
        policy["spec"]["policyTypes"] = json!(["Ingress", "Egress"]);
        by_policy.insert(name, differences(&network));
    }
    assert!(by_policy["redis"].contains(&"not drawn: redis -> outside TCP 22".to_owned()));
    assert!(
        by_policy
            .values()
            .all(|told| told.iter().any(|line| line.starts_with("not drawn:")))
    );

    // And an opened door: any pod of the cluster to PostgreSQL.
    let mut network = whole.clone();
    for policy in &mut network.policies {
        if policy["metadata"]["name"] == "postgres" {
            policy["spec"]["ingress"]
                .as_array_mut()
                .unwrap()
                .push(json!({"ports": [{"port": 5432}]}));
        }
    }
    assert_eq!(differences(&network), ["not drawn: outside -> postgres TCP 5432"]);
}

/// Without the policies that close everything, what a workload's own policy does not name would be open.
#[test]
fn every_namespace_is_closed_for_pods_that_nobody_has_thought_of() {
    let mut objects = objects(&spec("nova"), Profile::Small);
    let namespaces: Vec<Value> = objects
        .iter()
        .filter(|object| object["kind"] == "Namespace")
        .map(|object| object["metadata"]["name"].clone())
        .collect();
    assert_eq!(namespaces.len(), 5);
    let strangers: Vec<Value> = namespaces
        .iter()
        .map(|namespace| {
            let name = format!("stranger-in-{}", namespace.as_str().unwrap());
            json!({"kind": "Deployment", "metadata": {"name": name, "namespace": namespace}, "spec": {"template": {
                "metadata": {"labels": {"app": "stranger"}},
                "spec": {"containers": [{"ports": [{"name": "any", "containerPort": 8123}]}]},
            }}})
        })
        .collect();
    objects.extend(strangers);
    let told = differences(&Network::of(&objects));
    // They may ask for names, and nothing else in either direction.
    assert_eq!(told.len(), 10, "{told:?}");
    assert!(
        told.iter()
            .all(|line| line.contains("-> outside") && line.ends_with(" 53")),
        "{told:?}"
    );
}

/// A service that is one more entry of the description gets what it needs and nothing more.
#[test]
fn another_service_has_its_flows_from_its_entry() {
    let mut spec = spec("nova");
    let mut chat = spec.services["user-service"].clone();
    chat.port = 8085;
    chat.uses = ["postgres", "redis", "kafka", "auth-service", "user-service"]
        .map(Into::into)
        .into();
    spec.services.insert("chat".to_owned(), chat);
    let mut told = differences(&Network::of(&objects(&spec, Profile::Small)));
    told.sort();
    let expected = [
        "agent -> chat TCP 8085",
        "agent -> chat TCP 9085",
        "agent -> gateway TCP 8085",
        "chat -> gateway TCP 15432",
        "chat -> gateway TCP 15433",
        "chat -> gateway TCP 8080",
        "chat -> gateway TCP 8084",
        "chat -> kafka TCP 9092",
        "chat -> outside TCP 53",
        "chat -> outside UDP 53",
        "chat -> redis TCP 6379",
        "chat -> sentinel TCP 26379",
        "gateway -> chat TCP 8085",
        "gateway -> chat TCP 9085",
        "outside -> chat TCP 8085",
        "outside -> gateway TCP 8085",
    ];
    assert_eq!(told, expected.map(|flow| format!("not drawn: {flow}")));
}

/// One that nobody meets: the checks ask whether it is ready, and it connects to what it uses, as drawn.
#[test]
fn a_service_that_is_not_public_has_no_way_in_but_for_the_checks() {
    let spec = with_changes();
    assert_eq!(
        differences(&Network::of(&objects(&spec, Profile::Small))),
        Vec::<String>::new()
    );
}

/// Two platforms in one cluster meet only at the doors that are open to everyone, and open none to each other.
#[test]
fn platforms_are_apart() {
    let mut both = objects(&spec("nova"), Profile::Small);
    let other = objects(&spec("other"), Profile::Small).into_iter().map(|mut object| {
        if object["kind"] == "StatefulSet" || object["kind"] == "Deployment" {
            let name = object["metadata"]["name"].as_str().unwrap();
            object["metadata"]["name"] = format!("other-{name}").into();
        }
        object
    });
    both.extend(other);
    let crossing: Vec<_> = Network::of(&both)
        .connections()
        .into_iter()
        .filter(|(from, to, ..)| from != "outside" && to != "outside")
        .filter(|(from, to, ..)| from.starts_with("other-") != to.starts_with("other-"))
        .collect();
    assert_eq!(crossing, []);
}
