//! Effects in PostgreSQL: the handler's statements, the place in the topic, and what is put aside, in one transaction.
//!
//! That transaction begins by locking the partition's row of `consumer_offsets` and comparing it. So of two members that both
//! believe to have a partition only one goes on, whatever Kafka or a clock says, and each event has its effect once.

mod letters;
mod offsets;
mod redrive;
mod schema;
mod sort;
mod versions;

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::{PgConnection, Postgres as Driver, Transaction};
use tokio::time::timeout;

use super::steps::{Point, Steps};
use super::{Applied, Event, Handler, HandlerError, Offered, Place, Redriven, Sink, SinkError, Step};
use crate::{DatabaseError, Postgres, commit};
use letters::Letter;

pub(super) use letters::{COPIED_AT_ONCE, Kept, copied, uncopied};

/// How long a question may take that tells whether PostgreSQL or the handler was slow.
const PROBE: Duration = Duration::from_secs(1);

/// Whether the chassis keeps old events from the handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// An event reaches the handler when it is newer than all of its key that were applied before, by its [`nova_events::Version`]:
    /// one told twice has its effect once, and one that comes late never overwrites what is newer. Costs a row for each key.
    Newest,
    /// The handler compares for itself, with what its own rows hold.
    Handler,
}

/// See the module.
pub(super) struct PostgresSink {
    pub(super) postgres: Postgres,
    pub(super) handler: Box<dyn Handler>,
    pub(super) guard: Guard,
    /// How many events of one partition may be put aside.
    pub(super) limit: u32,
    /// How often an event is tried in a redrive.
    pub(super) attempts: u32,
    /// How long a handler may take.
    pub(super) deadline: Duration,
    pub(super) steps: Steps,
}

impl Sink for PostgresSink {
    fn wants(&self, kind: &str) -> bool {
        self.handler.wants(kind)
    }

    fn prepare(&self) -> BoxFuture<'_, anyhow::Result<()>> {
        schema::prepare(&self.postgres).boxed()
    }

    fn position<'a>(&'a self, place: &'a Place, offered: &'a Offered) -> BoxFuture<'a, Result<i64, SinkError>> {
        async move {
            let mut transaction = self.begin().await?;
            let found = offsets::take_up(&mut transaction, place, offered)
                .await
                .map_err(unavailable)?;
            commit(transaction).await.map_err(unclear)?;
            if found.cluster != offered.cluster {
                return Err(SinkError::Halted(format!(
                    "its place is of Kafka's cluster {}, and this is {}: `nova events reset` begins anew",
                    found.cluster, offered.cluster
                )));
            }
            Ok(found.next_offset)
        }
        .boxed()
    }

    fn apply<'a>(&'a self, step: Step<'a>) -> BoxFuture<'a, Result<Applied, SinkError>> {
        async move {
            let mut transaction = self.begin().await?;
            let place = step.place;
            let found = offsets::lock(&mut transaction, place).await.map_err(unavailable)?;
            if found != Some(step.from) {
                return Err(SinkError::Moved {
                    found: found.unwrap_or_default(),
                    believed: step.from,
                });
            }
            let keys = sort::keys(&step);
            let blocked = letters::keys(&mut transaction, place, &keys)
                .await
                .map_err(unavailable)?;
            let newest = match self.guard {
                Guard::Newest => versions::of(&mut transaction, place, &keys)
                    .await
                    .map_err(unavailable)?,
                Guard::Handler => sort::Newest::new(),
            };
            let sorted = sort::sort(&step, self.guard, blocked, newest);
            self.room(&mut transaction, place, &sorted.letters).await?;
            self.handle(&mut transaction, &sorted.events).await?;
            self.steps.reach(Point::Handled).await;
            letters::insert(&mut transaction, place, &sorted.letters)
                .await
                .map_err(unavailable)?;
            if self.guard == Guard::Newest {
                versions::store(&mut transaction, place, &sorted.events)
                    .await
                    .map_err(unavailable)?;
            }
            offsets::store(&mut transaction, place, step.next)
                .await
                .map_err(unavailable)?;
            self.steps.reach(Point::Committing).await;
            commit(transaction).await.map_err(unclear)?;
            self.steps.reach(Point::Committed).await;
            Ok(sorted.counts())
        }
        .boxed()
    }

    fn redrive<'a>(&'a self, place: &'a Place, from: i64) -> BoxFuture<'a, Result<Redriven, SinkError>> {
        redrive::redrive(self, place, from).boxed()
    }
}

impl PostgresSink {
    async fn begin(&self) -> Result<Transaction<'static, Driver>, SinkError> {
        let pool = self.postgres.primary().map_err(unavailable)?;
        pool.begin().await.map_err(unavailable)
    }

    async fn room(
        &self,
        connection: &mut PgConnection,
        place: &Place,
        letters: &[Letter<'_>],
    ) -> Result<(), SinkError> {
        if letters.is_empty() {
            return Ok(());
        }
        let there = letters::count(connection, place).await.map_err(unavailable)?;
        if there.saturating_add(letters.len()) > usize::try_from(self.limit).unwrap_or(usize::MAX) {
            return Err(SinkError::Full { limit: self.limit });
        }
        Ok(())
    }

    /// Runs the handler, which may fail, hang or panic.
    async fn handle(&self, connection: &mut PgConnection, events: &[Event]) -> Result<(), SinkError> {
        if events.is_empty() {
            return Ok(());
        }
        let handling = AssertUnwindSafe(self.handler.apply(connection, events)).catch_unwind();
        match timeout(self.deadline, handling).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(HandlerError::Unavailable(cause)))) => {
                Err(SinkError::Unavailable(format!("what it needs is not there: {cause}")))
            }
            Ok(Ok(Err(HandlerError::Failed(cause)))) => Err(SinkError::Failed(cause.to_string())),
            Ok(Ok(Err(HandlerError::Permanent(cause)))) => Err(SinkError::Refused(cause.to_string())),
            // The panic hook has logged message and place.
            Ok(Err(_)) => Err(SinkError::Failed("the handler ended by a panic".to_owned())),
            Err(_) => Err(self.slow().await),
        }
    }

    /// Whose fault it is that a handler was not done in time. An event must not be put aside because PostgreSQL hangs.
    async fn slow(&self) -> SinkError {
        let took = format!("not done within {} ms", self.deadline.as_millis());
        let answers = async {
            let pool = self.postgres.primary().map_err(DatabaseError::from)?;
            sqlx::query_scalar::<_, i32>("select 1").fetch_one(pool).await?;
            Ok::<_, DatabaseError>(())
        };
        match timeout(PROBE, answers).await {
            Ok(Ok(())) => SinkError::Failed(took),
            _ => SinkError::Unavailable(format!("{took}, and the database does not answer")),
        }
    }
}

/// Of a statement before the commit: nothing happened.
fn unavailable(error: impl Into<DatabaseError>) -> SinkError {
    match error.into() {
        DatabaseError::Query(cause) => SinkError::Unavailable(format!("a statement of the chassis failed: {cause}")),
        other => SinkError::Unavailable(other.to_string()),
    }
}

/// Of the commit itself.
fn unclear(error: DatabaseError) -> SinkError {
    match error {
        DatabaseError::OutcomeUnknown(cause) => SinkError::Unclear(cause.to_string()),
        // Constraints that are checked at the end are the handler's own.
        DatabaseError::Query(cause) => SinkError::Failed(cause.to_string()),
        DatabaseError::Unavailable(cause) => SinkError::Unavailable(cause.to_string()),
    }
}
