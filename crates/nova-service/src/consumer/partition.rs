//! One partition, from being given to this member until it is taken away: finds its place, reads batches, has them applied.

mod batch;
mod open;

use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::stream_consumer::StreamPartitionQueue;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::health::{Partition, State};
use super::kafka::{Context, Member};
use super::steps::Point;
use super::{Applied, Condemned, Entry, Place, Shared, SinkError, Step};
use crate::backoff::Backoff;
use batch::Batch;

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(1);
/// How often a partition looks whether something that was put aside is asked for again.
const REDRIVE_EVERY: Duration = Duration::from_secs(1);

/// See the module.
pub(super) struct Reader {
    pub(super) shared: Arc<Shared>,
    pub(super) member: Member,
    pub(super) partition: Partition,
    pub(super) place: Place,
    pub(super) stop: CancellationToken,
}

/// Why it does not go on from where it is.
enum End {
    /// The partition was taken away, or the service ends.
    Stopped,
    /// The sink's place is not known any more.
    Lost,
}

impl Reader {
    /// Runs until it is stopped. `before` is the task that had the same partition in this process, and its queue.
    pub(super) async fn run(self, before: Option<JoinHandle<()>>) {
        if let Some(before) = before {
            // It was told to stop. Two handles of one queue would wake only one of them.
            let _ = before.await;
        }
        self.shared.steps.reach(Point::Assigned).await;
        self.set(State::Opening);
        let (topic, partition) = &self.partition;
        let Some(queue) = self.member.split_partition_queue(topic, *partition) else {
            return self.set(State::Halted("librdkafka has no queue for it".to_owned()));
        };
        loop {
            let Some(from) = self.open().await else { break };
            match self.read(&queue, from).await {
                End::Stopped => break,
                End::Lost => {}
            }
        }
        self.shared.health.remove(&self.partition);
    }

    async fn read(&self, queue: &StreamPartitionQueue<Context>, mut from: i64) -> End {
        let mut ticks = interval(REDRIVE_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.shared.health.moved(&self.partition, from);
        self.set(State::Running);
        loop {
            let fetched = tokio::select! {
                biased;
                () = self.stop.cancelled() => return End::Stopped,
                _ = ticks.tick() => None,
                batch = self.fetch(queue, from) => Some(batch),
            };
            match fetched {
                None => {
                    if let Err(end) = self.redrive(from).await {
                        return end;
                    }
                }
                Some(None) => return End::Lost,
                Some(Some(batch)) => {
                    self.shared.steps.reach(Point::Fetched).await;
                    if let Err(end) = self.work(batch, &mut from).await {
                        return end;
                    }
                }
            }
        }
    }

    /// Has a batch applied, as a whole if that goes, else one by one, so that one bad event costs no other.
    async fn work(&self, batch: Batch, from: &mut i64) -> Result<(), End> {
        let mut backoff = Backoff::new(FIRST, LONGEST);
        loop {
            match self.apply(*from, batch.next, &batch.entries, None).await {
                Ok(()) => break,
                Err(SinkError::Unavailable(reason)) => self.wait(State::Waiting(reason), &mut backoff).await?,
                Err(SinkError::Failed(_) | SinkError::Refused(_) | SinkError::Full { .. }) => {
                    self.one_by_one(&batch, from).await?;
                    break;
                }
                Err(other) => return Err(self.lost(other).await),
            }
        }
        *from = batch.next;
        self.shared.health.moved(&self.partition, *from);
        self.shared.health.unknown(&self.partition.0, batch.unknown);
        self.set(State::Running);
        Ok(())
    }

    async fn one_by_one(&self, batch: &Batch, from: &mut i64) -> Result<(), End> {
        for (index, entry) in batch.entries.iter().enumerate() {
            let last = index + 1 == batch.entries.len();
            let next = if last { batch.next } else { entry.record().offset + 1 };
            self.one(std::slice::from_ref(entry), from, next).await?;
            *from = next;
        }
        Ok(())
    }

    /// Has one event applied, or put aside when that is hopeless.
    async fn one(&self, entry: &[Entry], from: &i64, next: i64) -> Result<(), End> {
        let mut backoff = Backoff::new(FIRST, LONGEST);
        let (mut attempts, mut condemned): (u32, Option<Condemned>) = (0, None);
        loop {
            match self.apply(*from, next, entry, condemned.as_ref()).await {
                Ok(()) => return Ok(()),
                Err(SinkError::Unavailable(reason)) => self.wait(State::Waiting(reason), &mut backoff).await?,
                Err(SinkError::Failed(reason)) => {
                    attempts += 1;
                    if attempts >= self.shared.settings.attempts {
                        condemned = Some(Condemned { reason, attempts });
                    } else {
                        let reason = format!("attempt {attempts} failed: {reason}");
                        self.wait(State::Waiting(reason), &mut backoff).await?;
                    }
                }
                Err(SinkError::Refused(reason)) => {
                    attempts += 1;
                    condemned = Some(Condemned { reason, attempts });
                }
                Err(full @ SinkError::Full { .. }) => {
                    let consumer = self.place.consumer;
                    let reason = format!("{full}: see `nova events dlq list {consumer}`, then redrive or drop them");
                    self.wait(State::Full(reason), &mut backoff).await?;
                    self.redrive(*from).await?;
                    // What it failed by may be mended until there is room.
                    condemned = None;
                }
                Err(other) => return Err(self.lost(other).await),
            }
        }
    }

    async fn apply(
        &self,
        from: i64,
        next: i64,
        entries: &[Entry],
        condemned: Option<&Condemned>,
    ) -> Result<(), SinkError> {
        let step = Step {
            place: &self.place,
            from,
            next,
            entries,
            condemned,
        };
        let limit = self.shared.settings.deadline * 3;
        let applied: Result<Applied, SinkError> = timeout(limit, self.shared.sink.apply(step))
            .await
            .unwrap_or_else(|_| Err(SinkError::Unclear("no answer in time".to_owned())));
        let topic = &self.partition.0;
        match &applied {
            Ok(applied) => self.shared.health.count(topic, *applied),
            Err(error) => {
                self.shared.health.failed(topic, kind(error));
                tracing::debug!(consumer = self.place.consumer, topic, partition = self.partition.1, %error, "not applied");
            }
        }
        if let Some(condemned) = condemned.filter(|_| applied.is_ok()) {
            let (offset, reason) = (from, &condemned.reason);
            tracing::warn!(
                consumer = self.place.consumer,
                topic,
                partition = self.partition.1,
                offset,
                reason,
                "put an event aside"
            );
        }
        applied.map(|_| ())
    }

    async fn redrive(&self, from: i64) -> Result<(), End> {
        match self.shared.sink.redrive(&self.place, from).await {
            Ok(redriven) => self.shared.health.redriven(&self.partition, redriven),
            Err(error @ SinkError::Moved { .. }) => return Err(self.lost(error).await),
            // What is needed for it is needed for new events as well, which say so.
            Err(error) => tracing::debug!(consumer = self.place.consumer, %error, "nothing was redriven"),
        }
        Ok(())
    }

    /// What makes the place unknown, said where it must be seen.
    async fn lost(&self, error: SinkError) -> End {
        let mut backoff = Backoff::new(FIRST, LONGEST);
        let state = match error {
            SinkError::Halted(reason) => State::Halted(reason),
            // Settled by reading the place again, which waits for whoever holds it.
            SinkError::Moved { .. } => State::Opening,
            other => State::Waiting(other.to_string()),
        };
        match self.wait(state, &mut backoff).await {
            Ok(()) => End::Lost,
            Err(end) => end,
        }
    }

    /// Shows why it waits, and waits.
    async fn wait(&self, state: State, backoff: &mut Backoff) -> Result<(), End> {
        self.set(state);
        let pause = sleep(backoff.next_pause());
        self.stop.run_until_cancelled(pause).await.ok_or(End::Stopped)
    }

    fn set(&self, state: State) {
        self.shared.health.set(&self.partition, state);
    }
}

/// For the metric.
fn kind(error: &SinkError) -> &'static str {
    match error {
        SinkError::Moved { .. } => "moved",
        SinkError::Unclear(_) => "unclear",
        SinkError::Unavailable(_) => "unavailable",
        SinkError::Failed(_) => "failed",
        SinkError::Refused(_) => "refused",
        SinkError::Full { .. } => "full",
        SinkError::Halted(_) => "halted",
    }
}
