//! What the cluster says of the platform's pods.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

use futures::future::try_join_all;
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::ListParams;
use nova_platform::components::ComponentId;
use nova_platform::target::MemberStatus;
use nova_platform::topology::{Component, Kind, Member};

use super::revisions::Revisions;
use super::{KubernetesError, KubernetesTarget, pods};
use crate::names::Area;
use crate::workloads::GATEWAYS;

/// A pod and the member that it is.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) member: MemberStatus,
    pub(super) namespace: String,
    /// Its address; `None` before it has one, and when it is on its way out.
    pub(super) ip: Option<String>,
    /// Its main container.
    pub(super) container: String,
    created: Option<Timestamp>,
}

impl KubernetesTarget {
    pub(super) async fn inspect_members(&self) -> Result<Vec<MemberStatus>, KubernetesError> {
        Ok(self.list_all().await?.into_iter().map(|seen| seen.member).collect())
    }

    /// The platform's pods: stores by name, services by age, in the order of their namespaces.
    pub(super) async fn list_all(&self) -> Result<Vec<Seen>, KubernetesError> {
        let down = self.down_nodes();
        let lists = try_join_all(Area::ALL.map(|area| self.list_pods(area)));
        let (down, lists) = tokio::join!(down, lists);
        let mut all = Vec::new();
        for (area, list) in Area::ALL.into_iter().zip(lists?) {
            // Only a pod in trouble is worth asking its controller about.
            let troubled = list.iter().any(|pod| pods::is_troubled(pod, &down));
            let revisions = if troubled {
                self.revisions(area).await?
            } else {
                Revisions::default()
            };
            all.extend(seen(&area.namespace(&self.spec), &list, &down, &revisions));
        }
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = all.clone();
        Ok(all)
    }

    /// The pods of one namespace that are there to be met.
    pub(super) async fn list_area(&self, area: Area) -> Result<Vec<Seen>, KubernetesError> {
        let list = self.list_pods(area).await?;
        let (down, revisions) = (BTreeSet::new(), Revisions::default());
        Ok(seen(&area.namespace(&self.spec), &list, &down, &revisions))
    }

    /// Finds a member's pod, in what was last listed if it is there.
    pub(super) async fn find(&self, member: &str) -> Result<Seen, KubernetesError> {
        let known = |all: &[Seen]| all.iter().find(|seen| seen.member.name == member).cloned();
        let found = known(&self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(found) = found {
            return Ok(found);
        }
        known(&self.list_all().await?).ok_or_else(|| KubernetesError::NoMember {
            platform: self.spec.platform.name.clone(),
            member: member.to_owned(),
        })
    }

    /// Every pod of one namespace that is the platform's.
    pub(super) async fn list_pods(&self, area: Area) -> Result<Vec<Pod>, KubernetesError> {
        let namespace = area.namespace(&self.spec);
        let api: Api<Pod> = Api::namespaced(self.client().clone(), &namespace);
        let list = api.list(&ListParams::default().labels(&self.selector())).await;
        let list = list.map_err(|error| KubernetesError::api("list the pods of", &namespace, &error))?;
        Ok(list.items)
    }

    /// Nodes that are not ready; none when nodes may not be listed.
    async fn down_nodes(&self) -> BTreeSet<String> {
        let api: Api<Node> = Api::all(self.client().clone());
        let Ok(nodes) = api.list(&ListParams::default()).await else {
            return BTreeSet::new();
        };
        let down = nodes.items.into_iter().filter(|node| !is_node_ready(node));
        down.filter_map(|node| node.metadata.name).collect()
    }
}

pub(super) fn is_node_ready(node: &Node) -> bool {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|all| all.iter().any(|one| one.type_ == "Ready" && one.status == "True"))
}

fn seen(namespace: &str, list: &[Pod], down: &BTreeSet<String>, revisions: &Revisions) -> Vec<Seen> {
    let now = Timestamp::now();
    let mut all: Vec<Seen> = list
        .iter()
        .filter_map(|pod| {
            let leaves = pod.metadata.deletion_timestamp.is_some();
            let ip = pod.status.as_ref().and_then(|status| status.pod_ip.clone());
            let containers = pod
                .spec
                .as_ref()
                .map(|spec| spec.containers.as_slice())
                .unwrap_or_default();
            Some(Seen {
                member: pods::member(pod, down, now, revisions.is_earlier(pod))?,
                namespace: namespace.to_owned(),
                ip: ip.filter(|_| !leaves),
                container: containers
                    .first()
                    .map(|container| container.name.clone())
                    .unwrap_or_default(),
                created: pod.metadata.creation_timestamp.as_ref().map(|time| time.0),
            })
        })
        .collect();
    all.sort_by(|a, b| (a.created, &a.member.name).cmp(&(b.created, &b.member.name)));
    all
}

/// The agent as a component of a rollout: it needs nothing, and what checks need it says so.
#[must_use]
pub fn agent_component() -> Component {
    Component {
        id: ComponentId::Agent,
        needs: Vec::new(),
        members: Vec::new(),
    }
}

/// The description's components with the members that are there: those of the gateway and the services have their pods'
/// names, and their number changes with load.
#[must_use]
pub(super) fn components_seen(described: Vec<Component>, members: &[MemberStatus]) -> Vec<Component> {
    let mut by_component: BTreeMap<&ComponentId, Vec<&MemberStatus>> = BTreeMap::new();
    for member in members {
        by_component.entry(&member.component).or_default().push(member);
    }
    let live = |mut component: Component| {
        let kind = component.members.first().map(|member| member.kind);
        let Some(kind @ (Kind::Gateway | Kind::Service)) = kind else {
            return component;
        };
        let pods = by_component.get(&component.id).map(Vec::as_slice).unwrap_or_default();
        if kind == Kind::Gateway {
            component.members = (1..=GATEWAYS)
                .map(|ordinal| Member {
                    name: format!("{}-{ordinal}", component.id),
                    component: component.id.clone(),
                    kind,
                    ordinal,
                    node: None,
                })
                .collect();
        }
        // A pod that is missing shows as a member that does not run.
        let missing = component.members.split_off(pods.len().min(component.members.len()));
        let seen = pods.iter().zip(1_u16..).map(|(pod, ordinal)| Member {
            name: pod.name.clone(),
            component: component.id.clone(),
            kind,
            ordinal,
            node: None,
        });
        component.members = seen.chain(missing).collect();
        component
    };
    described.into_iter().map(live).collect()
}

#[cfg(test)]
mod tests {
    use super::components_seen;
    use nova_platform::load::load;
    use nova_platform::target::{MemberStatus, RunState};
    use nova_platform::topology::components;

    #[test]
    fn services_have_the_pods_that_are_there_and_stores_their_members() {
        let spec = load(None).expect("the defaults").spec;
        let pod = |name: &str, component: &str| MemberStatus {
            name: name.to_owned(),
            component: component.into(),
            node: "node-9".to_owned(),
            state: RunState::Running,
            pid: None,
            started_at_ms: None,
            restarts: 0,
            last_exit: None,
            memory_bytes: None,
        };
        let members = [
            pod("auth-service-x", "auth-service"),
            pod("auth-service-y", "auth-service"),
            pod("auth-service-z", "auth-service"),
            pod("gateway-a", "gateway"),
            pod("user-service-k", "user-service"),
            pod("redis-1", "redis"),
        ];
        let seen = components_seen(components(&spec), &members);
        let names = |component: &str| -> Vec<String> {
            let component = seen.iter().find(|one| one.id.as_str() == component).expect("there");
            component.members.iter().map(|member| member.name.clone()).collect()
        };
        assert_eq!(
            names("auth-service"),
            ["auth-service-x", "auth-service-y", "auth-service-z"]
        );
        assert_eq!(names("gateway"), ["gateway-a", "gateway-2"]);
        assert_eq!(names("redis")[..2], ["redis-1", "redis-2"]);
        let user = names("user-service");
        assert_eq!(user.len(), usize::from(spec.services["user-service"].members));
        assert_eq!(
            (user[0].as_str(), user[1].as_str()),
            ("user-service-k", "user-service-2")
        );
    }
}
