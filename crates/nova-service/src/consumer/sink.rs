//! Where effects and the place in the topic are kept together, whatever keeps them: PostgreSQL here, an index's commit elsewhere.

use futures::FutureExt;
use futures::future::BoxFuture;
use thiserror::Error;

use super::Entry;

/// One partition as one consumer sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The consumer, which is a group of Kafka as well.
    pub consumer: &'static str,
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
}

/// What a partition of Kafka offers when it is taken up.
#[derive(Clone, Debug)]
pub struct Offered {
    /// Kafka's own id of the cluster: offsets of another one mean nothing.
    pub cluster: String,
    /// The oldest record that is still there: where one begins that has never read.
    pub first: i64,
}

/// Some records of one partition, to be applied as a whole or not at all.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// Of which.
    pub place: &'a Place,
    /// What the sink is believed to hold as its place. When it holds another, someone else has gone on.
    pub from: i64,
    /// Its place afterwards.
    pub next: i64,
    /// What is to be applied, in order; what this consumer does not know is left out.
    pub entries: &'a [Entry],
    /// Why the one entry is not tried again but put aside.
    pub condemned: Option<&'a Condemned>,
}

/// Why an event is put aside.
#[derive(Clone, Debug)]
pub struct Condemned {
    /// What its handler said last.
    pub reason: String,
    /// How often it was tried.
    pub attempts: u32,
}

/// What became of the entries of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Had their effect.
    pub applied: u64,
    /// Were older than what their key has seen already.
    pub stale: u64,
    /// Were put aside, because they cannot be applied.
    pub dead: u64,
    /// Were put aside behind such a one of the same key.
    pub parked: u64,
}

/// What a look at the events put aside found and did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Redriven {
    /// Had their effect now.
    pub applied: u64,
    /// Were older than what their key has seen since.
    pub stale: u64,
    /// Failed again.
    pub failed: u64,
    /// Are put aside now.
    pub left: u64,
}

/// Why a step did not happen. But for `Unclear`, nothing of it happened.
#[derive(Debug, Error)]
pub enum SinkError {
    /// The sink is not where it was believed to be: another member has the partition, or had it.
    #[error("the place of the partition is {found} and not {believed}: another member went on")]
    Moved {
        /// Where the sink is.
        found: i64,
        /// Where it was believed to be.
        believed: i64,
    },
    /// It may have happened: the sink's place tells.
    #[error("whether it happened is not known: {0}")]
    Unclear(String),
    /// What is needed is not there now, whatever the event.
    #[error("{0}")]
    Unavailable(String),
    /// It failed in a way that may be the event's fault.
    #[error("{0}")]
    Failed(String),
    /// It will fail each time.
    #[error("{0}")]
    Refused(String),
    /// There is no room for another event that cannot be applied.
    #[error("{limit} events are put aside already")]
    Full {
        /// How many there may be.
        limit: u32,
    },
    /// Going on would lose or repeat something: a human decides.
    #[error("{0}")]
    Halted(String),
}

/// Where effects and the place in the topic are kept together.
///
/// An index, for one, writes `next` into its commit's payload, reads it from there in [`Sink::position`], and compares it with
/// `from` before it commits.
pub trait Sink: Send + Sync + 'static {
    /// Whether events of this type mean something to it; others are passed over and counted.
    fn wants(&self, kind: &str) -> bool;

    /// Makes what it needs, such as tables. Repeated until it succeeds.
    fn prepare(&self) -> BoxFuture<'_, anyhow::Result<()>>;

    /// The next offset that it wants of this partition: stored, or `offered.first` when it never read any.
    fn position<'a>(&'a self, place: &'a Place, offered: &'a Offered) -> BoxFuture<'a, Result<i64, SinkError>>;

    /// Applies all of it and stores its place, or does nothing.
    fn apply<'a>(&'a self, step: Step<'a>) -> BoxFuture<'a, Result<Applied, SinkError>>;

    /// Called every second or so, also when nothing comes: applies what was put aside of this partition and is asked for again, and says
    /// [`SinkError::Moved`] when its place is not `from`. A sink that puts nothing aside has nothing to do.
    fn redrive<'a>(&'a self, _place: &'a Place, _from: i64) -> BoxFuture<'a, Result<Redriven, SinkError>> {
        async { Ok(Redriven::default()) }.boxed()
    }
}
