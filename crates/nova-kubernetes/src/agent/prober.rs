//! Proves components of a platform in a cluster: what the API server says of their pods, and what the agent finds in them.

use std::time::Duration;

use nova_platform::components::ComponentId;
use nova_platform::probe::{CheckKind, CheckResult, Depth, MemberRole, Prober};
use tokio::time::Instant;

use super::wire::{LOOK, Look, Looked, PREPARE, Prepare, Prepared, STAGE};
use crate::target::KubernetesTarget;

/// Most of a limit that is kept back for the way to the agent.
const WAY: Duration = Duration::from_millis(300);

/// See the module.
pub struct ClusterProber<'a> {
    target: &'a KubernetesTarget,
}

impl<'a> ClusterProber<'a> {
    /// Of what this target runs.
    #[must_use]
    pub const fn new(target: &'a KubernetesTarget) -> Self {
        Self { target }
    }

    /// All checks of a component with what its members say they are. The first check is `rollout`: whether all its pods are as
    /// applied and ready.
    pub async fn look(&self, component: &ComponentId, depth: Depth, limit: Duration) -> Looked {
        let begin = Instant::now();
        let rollout = async {
            let found = tokio::time::timeout(limit, self.target.rolled_out(component)).await;
            let found = found.unwrap_or_else(|_| Err("the API server did not answer in time".to_owned()));
            CheckResult::of(CheckKind::Rollout, begin.elapsed(), found)
        };
        if *component == ComponentId::Agent {
            return Looked {
                checks: vec![rollout.await],
                roles: Vec::new(),
            };
        }
        let (rollout, mut looked) = tokio::join!(rollout, self.ask(component, depth, limit));
        looked.checks.insert(0, rollout);
        looked
    }

    async fn ask(&self, component: &ComponentId, depth: Depth, limit: Duration) -> Looked {
        let begin = Instant::now();
        let asked = async {
            let endpoints = self.target.endpoints_of(component).await?;
            let look = Look {
                spec: self.target.spec().clone(),
                endpoints,
                component: component.clone(),
                depth,
                limit_ms: millis(limit.saturating_sub(WAY.min(limit / 4))),
            };
            let answer = self.target.agents().call(LOOK, &look, limit).await;
            answer.map_err(|error| error.to_string())
        };
        let answer = tokio::time::timeout(limit, asked)
            .await
            .unwrap_or_else(|_| Err("the API server did not answer in time".to_owned()));
        answer.unwrap_or_else(|error| Looked {
            checks: vec![CheckResult::of(CheckKind::Agent, begin.elapsed(), Err(error))],
            roles: Vec::new(),
        })
    }
}

impl ClusterProber<'_> {
    /// Has the agent change something inside a component.
    async fn change(
        &self,
        path: &'static str,
        component: &ComponentId,
        limit: Duration,
    ) -> Result<Vec<String>, String> {
        if *component == ComponentId::Agent {
            return Ok(Vec::new());
        }
        let prepare = Prepare {
            spec: self.target.spec().clone(),
            endpoints: self.target.endpoints_of(component).await?,
            component: component.clone(),
            limit_ms: millis(limit.saturating_sub(WAY.min(limit / 4))),
        };
        let made: Result<Prepared, _> = self.target.agents().call(path, &prepare, limit).await;
        made.map(|made| made.changes).map_err(|error| error.to_string())
    }
}

impl Prober for ClusterProber<'_> {
    async fn stage(&self, component: &ComponentId, limit: Duration) -> Result<Vec<String>, String> {
        self.change(STAGE, component, limit).await
    }

    async fn prepare(&self, component: &ComponentId, limit: Duration) -> Result<Vec<String>, String> {
        self.change(PREPARE, component, limit).await
    }

    async fn check(&self, component: &ComponentId, limit: Duration) -> Vec<CheckResult> {
        let found = self.look(component, Depth::Status, limit).await.checks;
        if Depth::Full.adds_to(component) && found.iter().all(|result| result.ok) {
            return self.look(component, Depth::Full, limit).await.checks;
        }
        found
    }

    async fn roles(&self, component: &ComponentId, limit: Duration) -> Vec<MemberRole> {
        self.ask(component, Depth::Status, limit).await.roles
    }

    async fn glance(&self, component: &ComponentId, limit: Duration) -> (Vec<CheckResult>, Vec<MemberRole>) {
        let looked = self.look(component, Depth::Status, limit).await;
        (looked.checks, looked.roles)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
