//! The tool's end of the way to an agent: HTTP/1.1 over port-forwards, kept between calls, opened anew when they break, to another
//! agent when one does not answer.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, Client};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::wire::Refused;
use super::{NAME, PORT};
use crate::target::pods;

/// Calls at once.
const CALLS: usize = 16;
/// Port-forwards that are kept open between calls.
const IDLE: usize = 16;
/// Ways that one call tries.
const ATTEMPTS: usize = 4;
/// Time to open a way before another agent is tried beside it.
const HEAD_START: Duration = Duration::from_millis(300);
/// Time for which an agent that did not answer is asked last.
const AVOID: Duration = Duration::from_secs(10);
/// Largest answer that is read, in bytes.
const LARGEST_ANSWER: usize = 4 << 20;

/// Why an agent did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// No agent is there to be asked.
    #[error("no agent is ready yet{0}")]
    NoneReady(String),
    /// None of them could be reached.
    #[error("the agent {agent} cannot be reached through the API server: {why}")]
    Unreachable {
        /// The pod.
        agent: String,
        /// What happened.
        why: String,
    },
    /// It was reached and did not answer.
    #[error("the agent did not answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// It answered that it could not; its own words.
    #[error("{0}")]
    Refused(String),
    /// The API server did not say which agents there are.
    #[error("cannot list the agents: {0}")]
    Api(String),
}

/// The agents of one platform. Opens nothing before the first call.
pub struct Agents {
    pub(super) client: Client,
    pub(super) namespace: String,
    pub(super) selector: String,
    permits: Semaphore,
    idle: Mutex<Vec<Line>>,
    avoided: Mutex<BTreeMap<String, Instant>>,
}

/// One port-forward with HTTP/1.1 on it.
struct Line {
    agent: String,
    sender: SendRequest<Full<Bytes>>,
}

impl Agents {
    /// Those in this namespace that this label selector finds.
    #[must_use]
    pub fn new(client: Client, namespace: String, selector: String) -> Self {
        Self {
            client,
            namespace,
            selector,
            permits: Semaphore::new(CALLS),
            idle: Mutex::default(),
            avoided: Mutex::default(),
        }
    }

    /// Posts a request and reads the answer, all within `limit`.
    ///
    /// # Errors
    /// See [`AgentError`].
    pub async fn call<Q: Serialize + Sync, A: DeserializeOwned>(
        &self,
        path: &str,
        question: &Q,
        limit: Duration,
    ) -> Result<A, AgentError> {
        let body = serde_json::to_vec(question).map_err(|error| AgentError::Refused(error.to_string()))?;
        let body = Bytes::from(body);
        let mut last = AgentError::TimedOut(limit);
        let work = async {
            let _permit = self.permits.acquire().await;
            for _ in 0..ATTEMPTS {
                let line = match self.line().await {
                    Ok(line) => line,
                    Err(error @ (AgentError::NoneReady(_) | AgentError::Api(_))) => return Err(error),
                    Err(error) => {
                        last = error;
                        continue;
                    }
                };
                let agent = line.agent.clone();
                match self.exchange(line, path, body.clone()).await {
                    Ok((status, answer)) => return read(status, &answer),
                    Err(why) => {
                        self.avoid(&agent);
                        last = AgentError::Unreachable { agent, why };
                    }
                }
            }
            Err(last)
        };
        tokio::time::timeout(limit, work)
            .await
            .unwrap_or(Err(AgentError::TimedOut(limit)))
    }

    async fn exchange(&self, mut line: Line, path: &str, body: Bytes) -> Result<(StatusCode, Bytes), String> {
        let request = Request::post(path)
            .header(http::header::HOST, NAME)
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| error.to_string())?;
        line.sender.ready().await.map_err(|error| error.to_string())?;
        let answer = line
            .sender
            .send_request(request)
            .await
            .map_err(|error| error.to_string())?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), LARGEST_ANSWER).collect();
        let body = body.await.map_err(|error| error.to_string())?.to_bytes();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE {
            idle.push(line);
        }
        Ok((status, body))
    }

    /// One that is open, or a new one to whichever agent answers first.
    async fn line(&self) -> Result<Line, AgentError> {
        loop {
            let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            match kept {
                Some(line) if line.sender.is_closed() => {}
                Some(line) => return Ok(line),
                None => break,
            }
        }
        let agents = self.ready().await?;
        let attempts = agents.iter().zip(0_u32..).map(|(agent, place)| {
            let attempt = async move {
                tokio::time::sleep(HEAD_START * place).await;
                self.open(agent).await
            };
            Box::pin(attempt)
        });
        let (line, _) = futures::future::select_ok(attempts).await?;
        Ok(line)
    }

    async fn open(&self, agent: &str) -> Result<Line, AgentError> {
        let unreachable = |why: String| {
            self.avoid(agent);
            AgentError::Unreachable {
                agent: agent.to_owned(),
                why,
            }
        };
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let mut forward = pods
            .portforward(agent, &[PORT])
            .await
            .map_err(|error| unreachable(crate::target::explain(&error)))?;
        let stream = forward
            .take_stream(PORT)
            .ok_or_else(|| unreachable("the port-forward has no stream".to_owned()))?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| unreachable(error.to_string()))?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a port-forward to an agent ended");
            }
            forward.abort();
        });
        Ok(Line {
            agent: agent.to_owned(),
            sender,
        })
    }

    /// Agents that are ready, those that lately did not answer last.
    async fn ready(&self) -> Result<Vec<String>, AgentError> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let list = pods
            .list(&ListParams::default().labels(&self.selector))
            .await
            .map_err(|error| AgentError::Api(crate::target::explain(&error)))?;
        let mut ready: Vec<String> = list
            .items
            .iter()
            .filter(|pod| pods::is_ready(pod))
            .filter_map(|pod| pod.metadata.name.clone())
            .collect();
        if ready.is_empty() {
            let why: Vec<String> = list.items.iter().filter_map(pods::trouble).collect();
            let why = why.first().map_or_else(String::new, |why| format!(": {why}"));
            return Err(AgentError::NoneReady(why));
        }
        let mut avoided = self.avoided.lock().unwrap_or_else(PoisonError::into_inner);
        avoided.retain(|_, since| since.elapsed() < AVOID);
        ready.sort_by_key(|agent| avoided.contains_key(agent));
        Ok(ready)
    }

    fn avoid(&self, agent: &str) {
        let mut avoided = self.avoided.lock().unwrap_or_else(PoisonError::into_inner);
        avoided.insert(agent.to_owned(), Instant::now());
    }
}

fn read<A: DeserializeOwned>(status: StatusCode, answer: &[u8]) -> Result<A, AgentError> {
    let odd = |error: serde_json::Error| {
        let text = String::from_utf8_lossy(answer);
        AgentError::Refused(format!(
            "the agent answers {status} with what is not its protocol ({error}): {text:.200}"
        ))
    };
    if status == StatusCode::OK {
        return serde_json::from_slice(answer).map_err(odd);
    }
    let refused: Refused = serde_json::from_slice(answer).map_err(odd)?;
    Err(AgentError::Refused(refused.error))
}
