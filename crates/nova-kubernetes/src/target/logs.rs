//! Members' logs, as the API server has them from the nodes.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::io::AsyncBufReadExt;
use futures::stream::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::LogParams;
use nova_platform::components::ComponentId;
use nova_platform::target::LogQuery;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::inspect::Seen;
use super::{KubernetesError, KubernetesTarget};

/// Most that is read of one log, in bytes.
const LARGEST: i64 = 32 << 20;
/// Pause between two looks for new pods.
const NEW_PODS: Duration = Duration::from_secs(1);

impl KubernetesTarget {
    pub(super) async fn read_log(&self, member: &str, query: &LogQuery) -> Result<Vec<String>, KubernetesError> {
        let seen = self.find(member).await?;
        let params = LogParams {
            container: Some(seen.container.clone()),
            previous: query.previous,
            tail_lines: query.tail.and_then(|lines| i64::try_from(lines).ok()),
            limit_bytes: Some(LARGEST),
            ..LogParams::default()
        };
        match self.pods_of(&seen).logs(member, &params).await {
            Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
            // It has not begun yet, or has no start before this one: nothing was written.
            Err(kube::Error::Api(status)) if matches!(status.code, 400 | 404) => Ok(Vec::new()),
            Err(error) => Err(KubernetesError::api("read the log of", member, &error)),
        }
    }

    /// Sends what the members that `wanted` takes write from now on, pods that come later included, until the receiver is gone:
    /// the member's name and the line.
    ///
    /// # Errors
    /// When the pods cannot be listed at all.
    pub async fn follow(
        &self,
        wanted: impl Fn(&str, &ComponentId) -> bool + Send,
        lines: mpsc::Sender<(String, String)>,
    ) -> Result<(), KubernetesError> {
        let mut followed: BTreeSet<String> = BTreeSet::new();
        let mut tasks: JoinSet<String> = JoinSet::new();
        let mut first = true;
        while !lines.is_closed() {
            let listed = self.list_all().await;
            let pods = if first { listed? } else { listed.unwrap_or_default() };
            for seen in pods {
                let name = &seen.member.name;
                if !wanted(name, &seen.member.component) || followed.contains(name) {
                    continue;
                }
                followed.insert(name.clone());
                let all = self.pods_of(&seen);
                tasks.spawn(follow_one(all, seen, !first, lines.clone()));
            }
            first = false;
            tokio::select! {
                () = tokio::time::sleep(NEW_PODS) => {}
                () = lines.closed() => break,
            }
            // One whose container ended may begin again.
            while let Some(ended) = tasks.try_join_next() {
                if let Ok(name) = ended {
                    followed.remove(&name);
                }
            }
        }
        Ok(())
    }

    fn pods_of(&self, seen: &Seen) -> Api<Pod> {
        Api::namespaced(self.client().clone(), &seen.namespace)
    }
}

/// Until the log ends; from its beginning when `whole`.
async fn follow_one(pods: Api<Pod>, seen: Seen, whole: bool, lines: mpsc::Sender<(String, String)>) -> String {
    let name = seen.member.name;
    let params = LogParams {
        container: Some(seen.container),
        follow: true,
        tail_lines: (!whole).then_some(0),
        ..LogParams::default()
    };
    if let Ok(stream) = pods.log_stream(&name, &params).await {
        let mut written = stream.lines();
        while let Some(Ok(line)) = written.next().await {
            if lines.send((name.clone(), line)).await.is_err() {
                break;
            }
        }
    }
    name
}
