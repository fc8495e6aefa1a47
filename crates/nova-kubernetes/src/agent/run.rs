//! Runs `nova` beside an agent, inside the cluster and with the stores' passwords: what is said to it is its standard input, what it
//! says comes line by line.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{AttachParams, ListParams};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio_util::sync::CancellationToken;

use super::{AgentError, Agents, NAME};
use crate::target::{explain, pods};

/// Most of what it says on standard error that is kept, in bytes.
const COMPLAINT: u64 = 4096;
/// Time to open the way.
const OPEN: Duration = Duration::from_secs(10);
/// Time for which its end is waited for once its output has ended.
const LAST_WORDS: Duration = Duration::from_secs(5);

impl Agents {
    /// Runs `nova` with these arguments in an agent's pod that is not on the node to avoid. `request` is its first line of input; when
    /// `end` is cancelled, it is given another one, which asks it to come to an end. Every line of its output is passed on.
    ///
    /// # Errors
    /// When no such agent is ready, the way breaks, or the program fails: its own words.
    pub async fn run(
        &self,
        arguments: &[&str],
        request: &str,
        avoid_node: Option<&str>,
        end: &CancellationToken,
        mut on_line: impl FnMut(&str),
    ) -> Result<(), AgentError> {
        let agent = self.away_from(avoid_node).await?;
        let broke = |why: String| AgentError::Unreachable {
            agent: agent.clone(),
            why,
        };
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let command = ["/usr/local/bin/nova"].iter().chain(arguments).copied();
        let streams = AttachParams::default()
            .container(NAME)
            .stdin(true)
            .stdout(true)
            .stderr(true);
        let opened = tokio::time::timeout(OPEN, pods.exec(&agent, command, &streams)).await;
        let mut process = opened
            .map_err(|_| AgentError::TimedOut(OPEN))?
            .map_err(|error| broke(explain(&error)))?;
        let (Some(mut input), Some(output), Some(complaint)) = (process.stdin(), process.stdout(), process.stderr())
        else {
            return Err(broke("the API server opened no streams".to_owned()));
        };
        let complaint = tokio::spawn(async move {
            let mut text = String::new();
            let _ = complaint.take(COMPLAINT).read_to_string(&mut text).await;
            text
        });
        let send = |error: std::io::Error| broke(error.to_string());
        input.write_all(format!("{request}\n").as_bytes()).await.map_err(send)?;
        let mut lines = BufReader::new(output).lines();
        let mut asked = false;
        loop {
            tokio::select! {
                line = lines.next_line() => match line.map_err(send)? {
                    Some(line) => on_line(&line),
                    None => break,
                },
                () = end.cancelled(), if !asked => {
                    asked = true;
                    input.write_all(b"end\n").await.map_err(send)?;
                }
            }
        }
        let status = match process.take_status() {
            Some(status) => tokio::time::timeout(LAST_WORDS, status).await.ok().flatten(),
            None => None,
        };
        if status.and_then(|status| status.status).as_deref() == Some("Success") {
            return Ok(());
        }
        let said = tokio::time::timeout(LAST_WORDS, complaint).await;
        let said = said.ok().and_then(Result::ok).unwrap_or_default();
        Err(match said.trim() {
            "" => broke("it ended without a word".to_owned()),
            said => AgentError::Refused(said.to_owned()),
        })
    }

    async fn away_from(&self, node: Option<&str>) -> Result<String, AgentError> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let list = pods.list(&ListParams::default().labels(&self.selector)).await;
        let list = list.map_err(|error| AgentError::Api(explain(&error)))?;
        let is_away = |pod: &&Pod| {
            let of = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
            node.is_none() || of != node
        };
        let found = list.items.iter().filter(|pod| pods::is_ready(pod)).find(is_away);
        found
            .and_then(|pod| pod.metadata.name.clone())
            .ok_or_else(|| AgentError::NoneReady(node.map_or_else(String::new, |node| format!(" away from {node}"))))
    }
}
