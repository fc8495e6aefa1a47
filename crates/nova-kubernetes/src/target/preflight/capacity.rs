//! Whether the nodes have room for what the pods ask for.

use std::collections::BTreeMap;
use std::iter::Sum;

use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::Api;
use kube::api::ListParams;
use nova_platform::spec::Spec;
use serde_json::Value;

use super::super::Cluster;
use super::Finding;
use super::quantity::{thousandths, units};
use crate::resources::Manifest;

/// Processor time and memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Room {
    /// Thousandths of a core.
    pub cpu: u64,
    /// Bytes.
    pub memory: u64,
}

impl Room {
    /// What is left of it.
    pub(super) const fn minus(self, taken: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(taken.cpu),
            memory: self.memory.saturating_sub(taken.memory),
        }
    }

    const fn times(self, count: u64) -> Self {
        Self {
            cpu: self.cpu * count,
            memory: self.memory * count,
        }
    }

    fn of(cpu: Option<&str>, memory: Option<&str>) -> Self {
        let cpu = cpu.and_then(thousandths).and_then(|cpu| u64::try_from(cpu).ok());
        Self {
            cpu: cpu.unwrap_or(0),
            memory: memory.and_then(units).unwrap_or(0),
        }
    }

    fn of_quantities(quantities: Option<&BTreeMap<String, Quantity>>) -> Self {
        let quantity = |name: &str| {
            quantities
                .and_then(|all| all.get(name))
                .map(|quantity| quantity.0.as_str())
        };
        Self::of(quantity("cpu"), quantity("memory"))
    }
}

impl Sum for Room {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            cpu: sum.cpu + one.cpu,
            memory: sum.memory + one.memory,
        })
    }
}

pub(super) fn allocatable(node: &Node) -> Room {
    Room::of_quantities(node.status.as_ref().and_then(|status| status.allocatable.as_ref()))
}

/// What pods that are not this platform's ask for on these nodes.
pub(super) async fn requested_by_others(cluster: &Cluster, spec: &Spec, nodes: &[&Node]) -> Result<Room, kube::Error> {
    let api: Api<Pod> = Api::all(cluster.client.clone());
    let others = format!("app.kubernetes.io/instance!={}", spec.platform.name);
    let running = "status.phase!=Succeeded,status.phase!=Failed";
    let list = api.list(&ListParams::default().labels(&others).fields(running)).await?;
    let on = |pod: &&Pod| {
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_ref());
        node.is_some() && nodes.iter().any(|one| one.metadata.name.as_ref() == node)
    };
    let pods = list.items.iter().filter(on);
    let containers = pods
        .filter_map(|pod| pod.spec.as_ref())
        .flat_map(|spec| &spec.containers);
    Ok(containers
        .map(|container| Room::of_quantities(container.resources.as_ref().and_then(|one| one.requests.as_ref())))
        .sum())
}

/// What the pods of these manifests ask for.
pub(super) fn requested(manifests: &[Manifest]) -> Room {
    let minimum = |name: &str| {
        let scaler = manifests.iter().map(|manifest| &manifest.object).find(|object| {
            object["kind"] == "HorizontalPodAutoscaler" && object["spec"]["scaleTargetRef"]["name"] == name
        });
        scaler.and_then(|scaler| scaler["spec"]["minReplicas"].as_u64())
    };
    let of = |object: &Value| {
        let kind = object["kind"].as_str().unwrap_or_default();
        if !matches!(kind, "Deployment" | "StatefulSet") {
            return Room::default();
        }
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let replicas = object["spec"]["replicas"]
            .as_u64()
            .or_else(|| minimum(name))
            .unwrap_or(1);
        let containers = object
            .pointer("/spec/template/spec/containers")
            .and_then(Value::as_array);
        let pod: Room = containers
            .into_iter()
            .flatten()
            .map(|container| {
                let requests = &container["resources"]["requests"];
                Room::of(requests["cpu"].as_str(), requests["memory"].as_str())
            })
            .sum();
        pod.times(replicas)
    };
    manifests.iter().map(|manifest| of(&manifest.object)).sum()
}

pub(super) fn judge(free: Room, requested: Room) -> Finding {
    let words = |room: Room| format!("{}m of processor time and {} MiB", room.cpu, room.memory >> 20);
    let found = format!("{} free, {} asked for", words(free), words(requested));
    if requested.cpu <= free.cpu && requested.memory <= free.memory {
        return Finding::ok("capacity", found);
    }
    Finding::missing(
        "capacity",
        found,
        "add nodes, free some of what other pods ask for, or deploy with `--profile small`",
    )
}

#[cfg(test)]
mod tests {
    use super::{Manifest, Room, judge, requested};
    use serde_json::{Value, json};

    fn workload(kind: &str, name: &str, replicas: &Value) -> Manifest {
        Manifest {
            component: name.into(),
            object: json!({"kind": kind, "metadata": {"name": name}, "spec": {"replicas": replicas, "template": {"spec": {
                "containers": [{"resources": {"requests": {"cpu": "250m", "memory": "64Mi"}}}]}}}}),
        }
    }

    #[test]
    fn every_pod_counts_and_an_autoscaler_says_how_many() {
        let scaler =
            json!({"kind": "HorizontalPodAutoscaler", "spec": {"minReplicas": 3, "scaleTargetRef": {"name": "user"}}});
        let manifests = [
            workload("StatefulSet", "redis", &json!(3)),
            workload("Deployment", "user", &Value::Null),
            workload("Service", "redis", &json!(9)),
            Manifest {
                component: "user".into(),
                object: scaler,
            },
        ];
        let all = requested(&manifests);
        assert_eq!(
            all,
            Room {
                cpu: 1500,
                memory: 384 << 20
            }
        );
        assert!(judge(all, all).ok);
        let less = Room { cpu: 1499, ..all };
        let finding = judge(less, all);
        assert!(!finding.ok && finding.next.contains("--profile small"), "{finding:?}");
    }
}
