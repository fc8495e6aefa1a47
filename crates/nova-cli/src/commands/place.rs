//! Where a platform runs, whichever target that is: what the commands that look have in common.

use std::time::Duration;

use nova_kubernetes::agent::ClusterProber;
use nova_kubernetes::target::{Cluster, KubernetesTarget};
use nova_local::target::LocalTarget;
use nova_platform::checks::Checks;
use nova_platform::components::ComponentId;
use nova_platform::endpoints::Endpoints;
use nova_platform::probe::{CheckResult, Depth, MemberRole};
use nova_platform::target::{LogQuery, MemberStatus, Target};
use nova_platform::topology::{Component, components};

use super::{Session, WrongUsage};
use crate::cli::TargetKind;

/// A target on which something is deployed.
pub(super) enum Place {
    /// Processes on this machine, and their checks.
    Local(Box<LocalTarget>, Box<Checks>),
    /// Pods in a cluster.
    Kubernetes(Box<KubernetesTarget>),
}

/// What one look at a platform found.
pub(super) struct Looked {
    /// The components with the members that are there.
    pub(super) components: Vec<Component>,
    /// The members as the target sees them.
    pub(super) members: Vec<MemberStatus>,
    /// Each component's checks and roles, in the same order.
    pub(super) found: Vec<(Vec<CheckResult>, Vec<MemberRole>)>,
    /// Where everything is met.
    pub(super) endpoints: Endpoints,
}

impl Session {
    /// The cluster that the description names.
    pub(super) async fn cluster(&self) -> anyhow::Result<Cluster> {
        Ok(Cluster::of(&self.spec().kubernetes.context).await?)
    }

    /// The target in the cluster, to be looked at or removed.
    pub(super) async fn in_cluster(&self) -> anyhow::Result<KubernetesTarget> {
        let cluster = self.cluster().await?;
        cluster.version().await?;
        Ok(KubernetesTarget::open(self.spec(), cluster))
    }

    /// Where the platform runs, when something is deployed there.
    pub(super) async fn deployed(&self) -> anyhow::Result<Option<Place>> {
        match self.kind {
            TargetKind::Local => match self.deployed_here()? {
                Some(target) => {
                    let checks = Box::new(self.checks(&target)?);
                    Ok(Some(Place::Local(Box::new(target), checks)))
                }
                None => Ok(None),
            },
            TargetKind::Kubernetes => {
                let target = self.in_cluster().await?;
                let deployed = target.is_deployed().await?;
                Ok(deployed.then(|| Place::Kubernetes(Box::new(target))))
            }
        }
    }
}

impl Session {
    /// Of the members that the description names, those whose name or whose component's name is `of`; all for `None`.
    pub(super) fn described_members(&self, of: Option<&str>) -> Result<Vec<String>, WrongUsage> {
        let described = components(self.spec());
        let members = described.iter().flat_map(|component| &component.members);
        let all = members.map(|member| (member.name.clone(), member.component.clone()));
        self.choose(all.collect(), of)
    }

    /// `all` holds each member's name and component.
    fn choose(&self, all: Vec<(String, ComponentId)>, of: Option<&str>) -> Result<Vec<String>, WrongUsage> {
        let chosen: Vec<String> = all
            .into_iter()
            .filter(|(name, component)| of.is_none_or(|of| name == of || component.as_str() == of))
            .map(|(name, _)| name)
            .collect();
        if chosen.is_empty() {
            let described = components(self.spec());
            let names: Vec<&str> = described.iter().map(|component| component.id.as_str()).collect();
            let of = of.unwrap_or_default();
            return Err(WrongUsage(format!(
                "unknown component or member {of:?}: there are {}, and their members such as {}-1",
                names.join(", "),
                names.first().copied().unwrap_or("etcd")
            )));
        }
        Ok(chosen)
    }
}

impl Place {
    /// Looks at everything at once. `memory` asks for the memory of each member too, where the target knows it.
    pub(super) async fn look(
        &self,
        session: &Session,
        depth: Depth,
        limit: Duration,
        memory: bool,
    ) -> anyhow::Result<Looked> {
        let described = components(session.spec());
        match self {
            Self::Local(target, checks) => {
                let looked = described.iter().map(|component| async move {
                    tokio::join!(
                        checks.component(&component.id, depth, limit),
                        checks.roles(&component.id, limit)
                    )
                });
                let (members, found) = tokio::join!(target.inspect_members(memory), futures::future::join_all(looked));
                Ok(Looked {
                    components: described,
                    members: members?,
                    found,
                    endpoints: target.endpoints(),
                })
            }
            Self::Kubernetes(target) => {
                let prober = &ClusterProber::new(target);
                let looked = described.iter().map(|component| async move {
                    let looked = prober.look(&component.id, depth, limit).await;
                    (looked.checks, looked.roles)
                });
                let (members, found) = tokio::join!(target.inspect(), futures::future::join_all(looked));
                let members = members?;
                Ok(Looked {
                    components: target.components_seen(described, &members),
                    members,
                    found,
                    endpoints: target.endpoints(),
                })
            }
        }
    }

    /// Members whose name, or whose component's name, is `of`; all for `None`.
    pub(super) async fn members_of(&self, session: &Session, of: Option<&str>) -> anyhow::Result<Vec<String>> {
        let all: Vec<(String, ComponentId)> = match self {
            Self::Local(..) => return Ok(session.described_members(of)?),
            Self::Kubernetes(target) => {
                let members = target.inspect().await?;
                members
                    .into_iter()
                    .map(|member| (member.name, member.component))
                    .collect()
            }
        };
        Ok(session.choose(all, of)?)
    }

    /// Log lines of a member, oldest first.
    pub(super) async fn logs(&self, member: &str, query: &LogQuery) -> anyhow::Result<Vec<String>> {
        Ok(match self {
            Self::Local(target, _) => target.logs(member, query).await?,
            Self::Kubernetes(target) => target.logs(member, query).await?,
        })
    }
}
