//! Clients inside a cluster: a `nova clients` beside an agent for each run. Their ledger is written down here as it comes.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use futures::FutureExt;
use futures::future::BoxFuture;
use nova_drill::clients::wire::{Answer, Order, Said};
use nova_drill::clients::{Clients, ClientsError, Outcomes, Request, Run};
use nova_drill::ledger::Ledger;
use nova_drill::record::{Begin, Entry, Line};
use nova_kubernetes::agent::{AgentError, Program};
use nova_kubernetes::target::KubernetesTarget;
use nova_platform::components::ComponentId;
use nova_platform::explained::explained;
use nova_platform::target::Target;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::super::clients::Assignment;

/// Longest time for an answer: as long as clients may need to be acknowledged again, or to look at everything they wrote, and some.
const ANSWER: Duration = Duration::from_secs(300);
/// Time for the program to end after its last answer, and to remove what a run that was given up left.
const LAST: Duration = Duration::from_secs(90);

/// See the module.
pub(super) struct InCluster<'a> {
    target: &'a KubernetesTarget,
    ledger: &'a Ledger,
    avoid_node: Option<&'a str>,
    /// Of the run that is under way, or was given up.
    under_way: Mutex<Option<UnderWay>>,
}

struct UnderWay {
    /// A run that was given up goes on until this, so that what it broke is healed before it removes what it wrote.
    give_up: CancellationToken,
    conversation: JoinHandle<Result<(), Trouble>>,
}

/// An answer, and with the last one every operation.
type Answered = Result<(Answer, Vec<Entry>), ClientsError>;

/// An order in a line, and where its answer goes.
type Asked = (String, oneshot::Sender<Answered>);

struct Conversation {
    asks: mpsc::Sender<Asked>,
}

impl<'a> InCluster<'a> {
    /// They write to this platform, away from a node that is to be lost.
    pub(super) fn new(target: &'a KubernetesTarget, ledger: &'a Ledger, avoid_node: Option<&'a str>) -> Self {
        Self {
            target,
            ledger,
            avoid_node,
            under_way: Mutex::default(),
        }
    }

    fn note(&self, under_way: Option<UnderWay>) -> Option<UnderWay> {
        let mut noted = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *noted, under_way)
    }

    async fn try_start(&self, request: Request) -> anyhow::Result<Conversation> {
        // The addresses are those of the pods that are there now.
        self.target.inspect().await?;
        let assignment = Assignment {
            spec: self.target.spec().clone(),
            endpoints: self.target.endpoints(),
            request,
        };
        let assignment = serde_json::to_string(&assignment)?;
        let mut program = self.target.agents().start(&["clients"], self.avoid_node).await?;
        program.say(&assignment).await?;
        let (asks, orders) = mpsc::channel(1);
        let give_up = CancellationToken::new();
        let conversation = tokio::spawn(converse(program, orders, self.ledger.clone(), give_up.clone()));
        self.note(Some(UnderWay { give_up, conversation }));
        let mut conversation = Conversation { asks };
        // Nothing is ordered: the answer to the assignment.
        conversation.ask_line(String::new()).await?;
        Ok(conversation)
    }
}

impl Clients for InCluster<'_> {
    fn start(&self, request: Request) -> BoxFuture<'_, Result<Box<dyn Run + '_>, ClientsError>> {
        async move {
            let started = self
                .try_start(request)
                .await
                .context("clients did not start in the cluster");
            let started = started.map_err(|error| ClientsError::Elsewhere(error.into()))?;
            Ok(Box::new(started) as Box<dyn Run + '_>)
        }
        .boxed()
    }

    fn tidy(&self) -> BoxFuture<'_, Vec<String>> {
        async move {
            let Some(UnderWay { give_up, conversation }) = self.note(None) else {
                return Vec::new();
            };
            give_up.cancel();
            match tokio::time::timeout(LAST, conversation).await {
                Ok(Ok(Ok(()))) => Vec::new(),
                Ok(Ok(Err(why))) => vec![explained(&why)],
                Ok(Err(panicked)) => vec![panicked.to_string()],
                Err(_) => vec![format!("the clients did not end within {} s", LAST.as_secs())],
            }
        }
        .boxed()
    }
}

impl Conversation {
    async fn ask(&mut self, order: &impl Serialize) -> Answered {
        let order = serde_json::to_string(order).map_err(Trouble::Json)?;
        self.ask_line(order).await
    }

    async fn ask_line(&mut self, order: String) -> Answered {
        let (sender, answer) = oneshot::channel();
        self.asks.send((order, sender)).await.map_err(|_| Trouble::Gone)?;
        let answered = tokio::time::timeout(ANSWER, answer).await;
        let answered = answered.map_err(|_| Trouble::Silent)?;
        let (answer, entries) = answered.map_err(|_| Trouble::Gone)??;
        Ok((answer.done()?, entries))
    }
}

impl Run for Conversation {
    fn begin(&mut self, begin: Begin) -> BoxFuture<'_, Result<u64, ClientsError>> {
        async move {
            match self.ask(&Order::Begin(begin)).await?.0 {
                Answer::Begun(at) => Ok(at),
                other => Err(Trouble::OutOfTurn(other).into()),
            }
        }
        .boxed()
    }

    fn switch(&mut self, component: &ComponentId, leader: &str) -> BoxFuture<'_, Result<(), ClientsError>> {
        let order = Order::Switch {
            component: component.clone(),
            leader: leader.to_owned(),
        };
        async move { self.ask(&order).await.map(drop) }.boxed()
    }

    fn again(&mut self) -> BoxFuture<'_, Result<(), ClientsError>> {
        async move { self.ask(&Order::Again).await.map(drop) }.boxed()
    }

    fn end<'a>(mut self: Box<Self>) -> BoxFuture<'a, Result<Outcomes, ClientsError>>
    where
        Self: 'a,
    {
        async move {
            match self.ask(&Order::End).await? {
                (Answer::Ended { stores, stays }, entries) => Ok(Outcomes { entries, stores, stays }),
                (other, _) => Err(Trouble::OutOfTurn(other).into()),
            }
        }
        .boxed()
    }
}

/// What can go wrong between here and the clients.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("the clients in the cluster are gone")]
    Gone,
    #[error("the clients in the cluster did not answer within {} s", ANSWER.as_secs())]
    Silent,
    #[error("the clients in the cluster answered out of turn: {0:?}")]
    OutOfTurn(Answer),
    #[error("the clients said {line:?}: {error}")]
    Said { line: String, error: serde_json::Error },
    #[error(transparent)]
    Json(serde_json::Error),
    #[error(transparent)]
    Program(AgentError),
}

impl From<Trouble> for ClientsError {
    fn from(trouble: Trouble) -> Self {
        Self::Elsewhere(Box::new(trouble))
    }
}

/// Passes orders on and answers back, one at a time, and keeps the ledger. Ends with the program, which is let go when nobody
/// orders any more and it was given up.
async fn converse(
    mut program: Program,
    mut asks: mpsc::Receiver<Asked>,
    ledger: Ledger,
    give_up: CancellationToken,
) -> Result<(), Trouble> {
    let mut entries = Vec::new();
    let mut waits: Option<oneshot::Sender<Answered>> = None;
    loop {
        tokio::select! {
            line = program.hear() => {
                let Some(line) = line.map_err(Trouble::Program)? else { break };
                match serde_json::from_str(&line).map_err(|error| Trouble::Said { line, error })? {
                    Said::Line(Line::Header(_)) => {}
                    Said::Line(line) => {
                        if let Line::Entry(entry) = &line {
                            entries.push(entry.clone());
                        }
                        ledger.append(line);
                    }
                    Said::Answer { answer } => {
                        let ended = matches!(*answer, Answer::Ended { .. });
                        let told = if ended { std::mem::take(&mut entries) } else { Vec::new() };
                        if let Some(waits) = waits.take() {
                            // Whoever asked may have given up.
                            let _ = waits.send(Ok((*answer, told)));
                        }
                        if ended {
                            break;
                        }
                    }
                }
            }
            Some((order, sender)) = asks.recv(), if waits.is_none() => {
                waits = Some(sender);
                if !order.is_empty() {
                    program.say(&order).await.map_err(Trouble::Program)?;
                }
            }
            () = give_up.cancelled() => {
                let order = serde_json::to_string(&Order::GiveUp).map_err(Trouble::Json)?;
                program.say(&order).await.map_err(Trouble::Program)?;
                break;
            }
        }
    }
    let ended = program.end(LAST).await.map_err(Trouble::Program);
    if let (Some(waits), Err(why)) = (waits, &ended) {
        let _ = waits.send(Err(ClientsError::Told(explained(why))));
    }
    ended
}
