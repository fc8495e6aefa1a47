//! Network policies as a cluster that enforces them understands them: a connection is there when the opener's policies let it
//! out and the other's let it in. A pod that no policy selects for a direction is open in it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::objects::{items, of_kind, selects, texts, workloads};

/// What can open or accept a connection.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    /// The workload's name, or `outside`.
    pub(crate) name: String,
    namespace: String,
    labels: Value,
    /// Container ports by name.
    ports: BTreeMap<String, u16>,
}

/// Everything that policies are about.
#[derive(Clone)]
pub(crate) struct Network {
    namespaces: BTreeMap<String, Value>,
    /// The policies themselves.
    pub(crate) policies: Vec<Value>,
    /// One peer a workload, and the world outside.
    pub(crate) peers: Vec<Peer>,
}

/// From, to, protocol and port.
pub(crate) type Connections = BTreeSet<(String, String, &'static str, u16)>;

#[derive(Clone, Copy, PartialEq)]
enum Direction {
    In,
    Out,
}

impl Network {
    /// From rendered objects; `outside` stands for all other pods of the cluster, which no policy concerns.
    pub(crate) fn of(objects: &[Value]) -> Self {
        let mut namespaces: BTreeMap<String, Value> = of_kind(objects, "Namespace")
            .map(|namespace| {
                let name = namespace["metadata"]["name"].as_str().unwrap();
                let mut labels = namespace["metadata"]["labels"].clone();
                // The API server sets this one itself.
                labels["kubernetes.io/metadata.name"] = name.into();
                (name.to_owned(), labels)
            })
            .collect();
        namespaces.insert(
            "elsewhere".to_owned(),
            json!({"kubernetes.io/metadata.name": "elsewhere"}),
        );
        let mut peers: Vec<Peer> = workloads(objects).into_iter().map(peer).collect();
        peers.push(Peer {
            name: "outside".to_owned(),
            namespace: "elsewhere".to_owned(),
            labels: json!({"app.kubernetes.io/name": "ingress"}),
            ports: BTreeMap::new(),
        });
        Self {
            namespaces,
            policies: of_kind(objects, "NetworkPolicy").cloned().collect(),
            peers,
        }
    }

    /// Every connection that the policies allow, over all pairs and all ports that anything listens on or that tell something.
    pub(crate) fn connections(&self) -> Connections {
        let known = self.peers.iter().flat_map(|peer| peer.ports.values().copied());
        let ports: BTreeSet<u16> = known.chain([22, 53, 80, 443, 5432, 7070, 10250]).collect();
        let mut all = Connections::new();
        for from in &self.peers {
            for to in &self.peers {
                for protocol in ["TCP", "UDP"] {
                    for port in &ports {
                        if self.allows(from, to, protocol, *port) {
                            all.insert((from.name.clone(), to.name.clone(), protocol, *port));
                        }
                    }
                }
            }
        }
        all
    }

    fn allows(&self, from: &Peer, to: &Peer, protocol: &str, port: u16) -> bool {
        self.passes(Direction::Out, from, to, to, protocol, port)
            && self.passes(Direction::In, to, from, to, protocol, port)
    }

    /// Whether the policies of `own` let it connect with `other`; named ports are those of the pod that listens.
    fn passes(
        &self,
        direction: Direction,
        own: &Peer,
        other: &Peer,
        listener: &Peer,
        protocol: &str,
        port: u16,
    ) -> bool {
        let (kind, rules, peers) = match direction {
            Direction::In => ("Ingress", "ingress", "from"),
            Direction::Out => ("Egress", "egress", "to"),
        };
        let mut concerned = self
            .policies
            .iter()
            .filter(|policy| policy["metadata"]["namespace"] == own.namespace.as_str())
            .filter(|policy| selects(&policy["spec"]["podSelector"], &own.labels))
            .filter(|policy| concerns(policy, kind))
            .peekable();
        if concerned.peek().is_none() {
            return true;
        }
        concerned.any(|policy| {
            items(&policy["spec"][rules]).any(|rule| {
                // What a rule leaves out, or leaves empty, is not restricted.
                let any_peer = items(&rule[peers]).next().is_none();
                let any_port = items(&rule["ports"]).next().is_none();
                (any_peer || items(&rule[peers]).any(|peer| self.is_peer(peer, policy, other)))
                    && (any_port || items(&rule["ports"]).any(|rule| is_port(rule, listener, protocol, port)))
            })
        })
    }

    /// Selectors in one entry must all fit; without one for namespaces it is the policy's own.
    fn is_peer(&self, rule: &Value, policy: &Value, other: &Peer) -> bool {
        assert!(rule["ipBlock"].is_null(), "addresses are not evaluated here");
        let namespace = match &rule["namespaceSelector"] {
            Value::Null => policy["metadata"]["namespace"] == other.namespace.as_str(),
            selector => selects(selector, &self.namespaces[&other.namespace]),
        };
        namespace && selects(&rule["podSelector"], &other.labels)
    }
}

fn peer(workload: &Value) -> Peer {
    let template = &workload["spec"]["template"];
    let ports = items(&template["spec"]["containers"])
        .flat_map(|container| items(&container["ports"]))
        .map(|port| {
            let number = u16::try_from(port["containerPort"].as_u64().unwrap()).unwrap();
            (port["name"].as_str().unwrap().to_owned(), number)
        })
        .collect();
    Peer {
        name: workload["metadata"]["name"].as_str().unwrap().to_owned(),
        namespace: workload["metadata"]["namespace"].as_str().unwrap().to_owned(),
        labels: template["metadata"]["labels"].clone(),
        ports,
    }
}

/// Without types, a policy is about what comes in, and about what goes out when it has rules for that.
fn concerns(policy: &Value, kind: &str) -> bool {
    let types = texts(&policy["spec"]["policyTypes"]);
    if types.is_empty() {
        return kind == "Ingress" || !policy["spec"]["egress"].is_null();
    }
    types.contains(&kind)
}

fn is_port(rule: &Value, listener: &Peer, protocol: &str, port: u16) -> bool {
    let port = u64::from(port);
    let number = match &rule["port"] {
        Value::Null => true,
        Value::String(name) => listener.ports.get(name).copied().map(u64::from) == Some(port),
        number => {
            let first = number.as_u64().unwrap();
            (first..=rule["endPort"].as_u64().unwrap_or(first)).contains(&port)
        }
    };
    rule["protocol"].as_str().unwrap_or("TCP") == protocol && number
}

mod tests {
    use serde_json::{Value, json};

    use super::Network;

    fn pod(namespace: &str, name: &str) -> Value {
        json!({"kind": "Deployment", "metadata": {"name": name, "namespace": namespace}, "spec": {"template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"ports": [{"name": "web", "containerPort": 80}, {"name": "other", "containerPort": 443}]}]},
        }}})
    }

    /// Which of `a`, `b` (in one namespace) and `c` (in another) reach port 80 of `a`, with this policy over `a`.
    fn who_reaches_a(spec: Value) -> String {
        let mut objects: Vec<Value> = ["one", "two"]
            .iter()
            .map(|name| json!({"kind": "Namespace", "metadata": {"name": name, "labels": {"team": name}}}))
            .collect();
        objects.extend([pod("one", "a"), pod("one", "b"), pod("two", "c")]);
        objects.push(json!({"kind": "NetworkPolicy", "metadata": {"name": "p", "namespace": "one"}, "spec": spec}));
        Network::of(&objects)
            .connections()
            .into_iter()
            .filter(|(_, to, protocol, port)| to == "a" && *protocol == "TCP" && *port == 80)
            .map(|(from, ..)| from)
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn what_no_policy_selects_is_open() {
        assert_eq!(
            who_reaches_a(json!({"podSelector": {"matchLabels": {"app": "x"}}})),
            "a b c outside"
        );
    }

    #[test]
    fn a_policy_without_rules_closes_what_comes_in() {
        assert_eq!(who_reaches_a(json!({"podSelector": {}})), "");
        // What goes out of a and b is closed, so only the others reach it.
        assert_eq!(
            who_reaches_a(json!({"podSelector": {}, "policyTypes": ["Egress"]})),
            "c outside"
        );
    }

    #[test]
    fn selectors_of_one_entry_are_and_entries_are_or() {
        let from = |peers: Value| {
            who_reaches_a(json!({"podSelector": {"matchLabels": {"app": "a"}}, "ingress": [{"from": peers}]}))
        };
        let (two, b) = (
            json!({"matchLabels": {"team": "two"}}),
            json!({"matchLabels": {"app": "b"}}),
        );
        assert_eq!(from(json!([{"namespaceSelector": two, "podSelector": b}])), "");
        assert_eq!(from(json!([{"namespaceSelector": two}, {"podSelector": b}])), "b c");
        assert_eq!(from(json!([{"podSelector": {}}])), "a b");
        assert_eq!(from(json!([{"namespaceSelector": {}}])), "a b c outside");
        assert_eq!(from(json!([])), "a b c outside");
        let not_b = json!({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["b"]}]});
        assert_eq!(from(json!([{"podSelector": not_b}])), "a");
    }

    #[test]
    fn ports_are_numbers_names_and_ranges_of_one_protocol() {
        let ports = |ports: Value| who_reaches_a(json!({"podSelector": {}, "ingress": [{"ports": ports}]}));
        let everyone = "a b c outside";
        assert_eq!(ports(json!([{"port": 80}])), everyone);
        assert_eq!(ports(json!([{"port": "web"}])), everyone);
        assert_eq!(ports(json!([{"port": 70, "endPort": 90}])), everyone);
        assert_eq!(ports(json!([{"protocol": "TCP"}])), everyone);
        assert_eq!(ports(json!([])), everyone);
        for other in [
            json!([{"port": "other"}]),
            json!([{"port": 80, "protocol": "UDP"}]),
            json!([{"port": 81, "endPort": 90}]),
        ] {
            assert_eq!(ports(other), "");
        }
    }
}
