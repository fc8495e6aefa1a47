//! Runs `nova` beside an agent, inside the cluster and with the stores' passwords: what is said to it is its standard input, what it
//! says comes line by line.

use std::pin::Pin;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{AttachParams, AttachedProcess, ListParams};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, Lines};
use tokio::task::JoinHandle;

use super::{AgentError, Agents, NAME};
use crate::target::{explain, pods};

/// Most of what it says on standard error that is kept, in bytes.
const COMPLAINT: u64 = 4096;
/// Time to open the way.
const OPEN: Duration = Duration::from_secs(10);
/// Time for which its last words are waited for once it has ended.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// `nova` at work beside an agent.
pub struct Program {
    agent: String,
    process: AttachedProcess,
    input: Pin<Box<dyn AsyncWrite + Send>>,
    lines: Lines<BufReader<Pin<Box<dyn AsyncRead + Send>>>>,
    complaint: JoinHandle<String>,
}

impl Agents {
    /// Starts `nova` with these arguments in an agent's pod that is not on the node to avoid.
    ///
    /// # Errors
    /// When no such agent is ready, or the way to it cannot be opened.
    pub async fn start(&self, arguments: &[&str], avoid_node: Option<&str>) -> Result<Program, AgentError> {
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
        let (Some(input), Some(output), Some(complaint)) = (process.stdin(), process.stdout(), process.stderr()) else {
            return Err(broke("the API server opened no streams".to_owned()));
        };
        let complaint = tokio::spawn(async move {
            let mut text = String::new();
            let _ = complaint.take(COMPLAINT).read_to_string(&mut text).await;
            text
        });
        let output: Pin<Box<dyn AsyncRead + Send>> = Box::pin(output);
        Ok(Program {
            agent,
            process,
            input: Box::pin(input),
            lines: BufReader::new(output).lines(),
            complaint,
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

impl Program {
    /// Gives it a line of input.
    ///
    /// # Errors
    /// When the way to it is broken.
    pub async fn say(&mut self, line: &str) -> Result<(), AgentError> {
        let said = async {
            self.input.write_all(format!("{line}\n").as_bytes()).await?;
            self.input.flush().await
        };
        said.await.map_err(|error| self.broke(error.to_string()))
    }

    /// The next line of its output; `None` after the last one. Nothing is lost when this is given up and asked again.
    ///
    /// # Errors
    /// When the way to it is broken.
    pub async fn hear(&mut self) -> Result<Option<String>, AgentError> {
        let heard = self.lines.next_line().await;
        heard.map_err(|error| self.broke(error.to_string()))
    }

    /// Closes its input, and waits until it has ended. What it still says is not kept.
    ///
    /// # Errors
    /// When it failed: its own words.
    pub async fn end(mut self, limit: Duration) -> Result<(), AgentError> {
        let status = self.process.take_status();
        let ended = async {
            let _ = self.input.shutdown().await;
            // Whoever says more than is heard waits for ever.
            while let Ok(Some(_)) = self.lines.next_line().await {}
            status?.await
        };
        let status = tokio::time::timeout(limit, ended).await;
        let status = status.map_err(|_| self.broke(format!("it did not end within {} s", limit.as_secs())))?;
        if status.and_then(|status| status.status).as_deref() == Some("Success") {
            return Ok(());
        }
        let said = tokio::time::timeout(LAST_WORDS, &mut self.complaint).await;
        let said = said.ok().and_then(Result::ok).unwrap_or_default();
        Err(match said.trim() {
            "" => self.broke("it ended without a word".to_owned()),
            said => AgentError::Refused(said.to_owned()),
        })
    }

    fn broke(&self, why: String) -> AgentError {
        AgentError::Unreachable {
            agent: self.agent.clone(),
            why,
        }
    }
}
