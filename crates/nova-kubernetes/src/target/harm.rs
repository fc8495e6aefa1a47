//! What drills do to members here: ending pods.

use futures::future::try_join_all;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::DeleteParams;
use nova_platform::target::Harm;

use super::{KubernetesError, KubernetesTarget};

impl KubernetesTarget {
    pub(super) async fn harm_members(&self, members: &[String], harm: Harm) -> Result<(), KubernetesError> {
        let grace = match harm {
            Harm::Kill => Some(0),
            Harm::Restart => None,
            other => return Err(KubernetesError::Unsupported(format!("{other:?}").to_lowercase())),
        };
        self.list_all().await?;
        let all = members.iter().map(|member| async move {
            let seen = self.find(member).await?;
            let pods: Api<Pod> = Api::namespaced(self.client().clone(), &seen.namespace);
            let params = DeleteParams {
                grace_period_seconds: grace,
                ..DeleteParams::default()
            };
            let deleted = pods.delete(member, &params).await;
            deleted
                .map(drop)
                .map_err(|error| KubernetesError::api("delete", format!("Pod {member}"), &error))
        });
        try_join_all(all).await.map(drop)
    }
}
