//! Drains nodes as `kubectl drain` does: each pod is asked to leave through the eviction API, which grants that only where the disruption
//! budget of its workload allows it, and is awaited until it is gone.

use std::time::Duration;

use futures::future::join_all;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::EvictParams;
use tokio::time::{Instant, sleep};

use super::{KubernetesError, KubernetesTarget};

/// Longest that a pod may take to leave: a budget that another member uses up, and then the pod's own time to end.
const TO_LEAVE: Duration = Duration::from_secs(180);
/// Pause before a refused eviction is asked for again.
const REFUSED: Duration = Duration::from_secs(1);
/// Pause between two looks whether a pod is gone.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// What the API server answers when a budget does not allow it now.
const TOO_MANY_REQUESTS: u16 = 429;
/// What it answers of a pod that is gone.
const NOT_FOUND: u16 = 404;

impl KubernetesTarget {
    /// Has these members leave their nodes, all at the same time as far as the budgets allow it.
    pub(super) async fn evict(&self, members: &[String]) -> Result<(), KubernetesError> {
        let all = members.iter().map(|member| self.evict_one(member));
        // Those that left have left, whatever keeps another one.
        join_all(all).await.into_iter().collect()
    }

    async fn evict_one(&self, member: &str) -> Result<(), KubernetesError> {
        let seen = self.find(member).await?;
        let pods: Api<Pod> = Api::namespaced(self.client().clone(), &seen.namespace);
        let failed = |error: &kube::Error| KubernetesError::api("evict", format!("Pod {member}"), error);
        let until = Instant::now() + TO_LEAVE;
        let Some(pod) = pods.get_opt(member).await.map_err(|error| failed(&error))? else {
            return Ok(());
        };
        loop {
            match pods.evict(member, &EvictParams::default()).await {
                Ok(_) => break,
                Err(kube::Error::Api(status)) if status.code == NOT_FOUND => return Ok(()),
                Err(kube::Error::Api(status)) if status.code == TOO_MANY_REQUESTS && Instant::now() < until => {
                    sleep(REFUSED).await;
                }
                Err(error) => return Err(failed(&error)),
            }
        }
        // A StatefulSet makes another one of the same name.
        let is_gone = |now: Option<Pod>| now.is_none_or(|now| now.metadata.uid != pod.metadata.uid);
        while !is_gone(pods.get_opt(member).await.map_err(|error| failed(&error))?) {
            if Instant::now() >= until {
                return Err(KubernetesError::Api {
                    action: "evict",
                    object: format!("Pod {member}"),
                    why: format!("it has not left its node within {} s", TO_LEAVE.as_secs()),
                });
            }
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    }
}
