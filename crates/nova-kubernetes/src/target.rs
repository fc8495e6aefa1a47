//! The Kubernetes target: applies what the description asks for, and tells what the cluster makes of it.

mod addresses;
mod apply;
mod cluster;
mod compare;
mod conflict;
mod credentials;
mod error;
mod events;
mod evict;
mod gate;
mod harm;
mod inspect;
mod inventory;
mod lock;
mod logs;
mod namespaces;
mod note;
mod object;
mod plan;
pub(crate) mod pods;
pub mod preflight;
mod remove;
mod revisions;
mod secrets;
mod volumes;

use std::sync::Mutex;

use kube::Client;
use nova_platform::components::ComponentId;
use nova_platform::endpoints::Endpoints;
use nova_platform::spec::Spec;
use nova_platform::target::{Harm, LogQuery, MemberStatus, Plan, Removal, Target};
use nova_platform::topology::Component;

use crate::agent::{Agents, NAME};
use crate::names::{Area, PART_OF};
use crate::resources::{Manifest, SecretLayout, secret_layout};

pub use cluster::{Cluster, FIRST_ANSWER, is_local};
pub use error::{KubernetesError, explain};
pub use inspect::agent_component;
pub use lock::DeployLock;

/// Requests to the API server at once.
const CONCURRENCY: usize = 12;

/// One platform in one cluster.
pub struct KubernetesTarget {
    spec: Spec,
    cluster: Cluster,
    manifests: Vec<Manifest>,
    layouts: Vec<SecretLayout>,
    agents: Agents,
    /// Pods as they were last listed.
    seen: Mutex<Vec<inspect::Seen>>,
}

impl KubernetesTarget {
    /// A platform to be looked at or removed.
    #[must_use]
    pub fn open(spec: &Spec, cluster: Cluster) -> Self {
        Self::with_manifests(spec, cluster, Vec::new())
    }

    /// A platform to be brought to these manifests, which are all that it shall have.
    #[must_use]
    pub fn with_manifests(spec: &Spec, cluster: Cluster, manifests: Vec<Manifest>) -> Self {
        let selector = format!("{},app.kubernetes.io/name={NAME}", selector_of(spec));
        let agents = Agents::new(cluster.client.clone(), Area::System.namespace(spec), selector);
        Self {
            layouts: secret_layout(spec),
            spec: spec.clone(),
            cluster,
            manifests,
            agents,
            seen: Mutex::default(),
        }
    }

    /// The platform.
    #[must_use]
    pub const fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The cluster.
    #[must_use]
    pub const fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The agents that run checks inside the cluster.
    #[must_use]
    pub const fn agents(&self) -> &Agents {
        &self.agents
    }

    const fn client(&self) -> &Client {
        &self.cluster.client
    }

    fn selector(&self) -> String {
        selector_of(&self.spec)
    }
}

/// Finds everything of one platform.
fn selector_of(spec: &Spec) -> String {
    format!(
        "app.kubernetes.io/part-of={PART_OF},app.kubernetes.io/instance={}",
        spec.platform.name
    )
}

impl Target for KubernetesTarget {
    type Error = KubernetesError;

    fn endpoints(&self) -> Endpoints {
        self.last_endpoints()
    }

    async fn plan(&self) -> Result<Plan, KubernetesError> {
        self.make_plan().await
    }

    async fn apply(&self, component: &ComponentId) -> Result<(), KubernetesError> {
        self.apply_component(component).await
    }

    async fn apply_member(&self, member: &str) -> Result<(), KubernetesError> {
        // Kubernetes changes one member after another by itself.
        Err(KubernetesError::Unsupported(format!(
            "change the member {member} alone"
        )))
    }

    async fn prune(&self) -> Result<(), KubernetesError> {
        self.prune_unwanted().await
    }

    async fn inspect(&self) -> Result<Vec<MemberStatus>, KubernetesError> {
        self.inspect_members().await
    }

    async fn logs(&self, member: &str, query: &LogQuery) -> Result<Vec<String>, KubernetesError> {
        self.read_log(member, query).await
    }

    async fn events(&self, component: &ComponentId) -> Vec<String> {
        self.recent_events(component).await
    }

    fn components_seen(&self, described: Vec<Component>, members: &[MemberStatus]) -> Vec<Component> {
        inspect::components_seen(described, members)
    }

    fn rolls_itself(&self) -> bool {
        true
    }

    fn members_wait(&self) -> bool {
        true
    }

    async fn harm(&self, members: &[String], harm: Harm) -> Result<(), KubernetesError> {
        self.harm_members(members, harm).await
    }

    async fn refuses(&self, harm: Harm, _members: &[String]) -> Option<String> {
        harm::refusal(harm)
    }

    async fn heal(&self) -> Result<Vec<String>, KubernetesError> {
        let mut healed = self.bring_up_nodes().await?;
        healed.extend(self.thaw_leftovers().await?);
        Ok(healed)
    }

    async fn remove(&self, data: bool) -> Result<Removal, KubernetesError> {
        self.remove_platform(data).await
    }
}
