//! One ownership of the slot, step by step: fence every other writer, ask what was published, judge it, and publish what follows.
//!
//! The order matters. Owning comes first so that members that stand by do not fence one another. Fencing comes before asking, so that
//! nothing is under way any more that would not be in the answer. PostgreSQL is told last, so that what it no longer keeps is published.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nova_events::topics::epochs::{Began, EpochEvent};
use nova_events::{Envelope, Event, PREFIX, Position, Version};
use pgwire_replication::{Lsn, PgWireError, ReplicationEvent};
use thiserror::Error;
use time::OffsetDateTime;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::assemble::{Assembler, Batch, Limits, Record};
use crate::config::{Config, EventsConfig};
use crate::failpoint::{Step, reach};
use crate::judge::{Broken, Verdict, judge};
use crate::kafka::{KafkaLog, Log, LogError};
use crate::source::{OwnError, Owned};
use crate::state::State;

/// How often PostgreSQL is asked how it is while nothing comes.
const LOOK: Duration = Duration::from_secs(1);
/// How long the stream may be silent while the log grows.
const SILENCE: Duration = Duration::from_secs(10);
/// While nothing is told, the position follows the log at this distance or pace, so that the slot holds nothing back.
const FOLLOW_BYTES: u64 = 1024 * 1024;
const FOLLOW_EVERY: Duration = Duration::from_secs(5);

/// Why a session ended.
#[derive(Debug, Error)]
pub(crate) enum SessionError {
    /// By PostgreSQL.
    #[error(transparent)]
    Own(#[from] OwnError),
    /// By Kafka.
    #[error("Kafka: {0}")]
    Log(#[from] LogError),
    /// The stream broke.
    #[error("the stream from PostgreSQL ended: {0}")]
    Stream(String),
    /// A task of this process.
    #[error("a task of the publisher failed: {0}")]
    Task(String),
}

impl From<PgWireError> for SessionError {
    fn from(error: PgWireError) -> Self {
        Self::Stream(error.to_string())
    }
}

/// Works until `stop`, or until something goes wrong. `pause` is reset when it works.
pub(crate) async fn run(
    config: &Config,
    state: &Arc<State>,
    owned: Owned,
    stop: &CancellationToken,
    pause: &mut Duration,
) -> Result<(), SessionError> {
    let log = KafkaLog::new(&config.kafka.bootstrap(), &config.events.slot)?;
    let log: Arc<dyn Log> = Arc::new(log);
    let mut session = Session {
        events: &config.events,
        state,
        owned,
        log: log.clone(),
    };
    let result = session.work(stop, pause).await;
    // Ending librdkafka's threads takes its time, which no runtime thread has.
    drop(session);
    spawn_blocking(move || drop(log));
    result
}

struct Session<'s> {
    events: &'s EventsConfig,
    state: &'s Arc<State>,
    owned: Owned,
    log: Arc<dyn Log>,
}

impl Session<'_> {
    async fn work(&mut self, stop: &CancellationToken, pause: &mut Duration) -> Result<(), SessionError> {
        let limit = self.events.publish_timeout;
        self.blocking(move |log| log.fence(limit)).await?;
        self.step(Step::Fenced);
        let stored = self.blocking(move |log| log.position(limit)).await?;
        let position = self.begin(stored).await?;
        self.step(Step::Judged);
        *pause = Duration::from_millis(50);
        let limits = Limits {
            events: self.events.batch_events as usize,
            bytes: self.events.batch_bytes as usize,
        };
        self.owned.stream.update_applied_lsn(Lsn::from(position.lsn));
        let assembler = Assembler::new(position, limits);
        self.publish(assembler, stop).await
    }

    /// Where to go on; a new epoch is told before anything is published in it.
    async fn begin(&mut self, stored: Option<Position>) -> Result<Position, SessionError> {
        let (position, broken) = match judge(stored, &self.owned.server, now()) {
            Verdict::Resume(position) => (position, None),
            Verdict::Begin(position, broken) => {
                tracing::error!(epoch = position.epoch, reason = %broken, "a new epoch begins: owners of state tell all of it again");
                let batch = Batch {
                    records: vec![told(&position, broken)],
                    position: position.clone(),
                    transactions: 0,
                    oldest: None,
                };
                self.settle(position.lsn).await?;
                self.send(batch).await?;
                (position, Some(broken))
            }
        };
        tracing::info!(epoch = position.epoch, lsn = %Lsn::from(position.lsn), "publishing goes on");
        self.state.publishes(&position, broken);
        Ok(position)
    }

    async fn publish(&mut self, mut assembler: Assembler, stop: &CancellationToken) -> Result<(), SessionError> {
        let mut published = assembler.complete();
        let (mut heard, mut followed) = (Instant::now(), Instant::now());
        let mut due: Option<Instant> = None;
        loop {
            // Of an open transaction the rest is under way, whatever is due.
            let wake = due.filter(|_| !assembler.is_open());
            let look = sleep_until(wake.unwrap_or_else(|| Instant::now() + LOOK));
            let came = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                came = self.owned.stream.recv(), if !assembler.is_full() => {
                    Some(came?.ok_or_else(|| SessionError::Stream("PostgreSQL closed it".to_owned()))?)
                }
                () = look => None,
            };
            let quiet = came.is_none();
            if let Some(event) = came {
                heard = Instant::now();
                feed(&mut assembler, &event);
                if !assembler.is_empty() {
                    due.get_or_insert_with(|| Instant::now() + self.events.batch_time);
                }
            }
            let over = due.is_some_and(|due| Instant::now() >= due) && !assembler.is_open();
            if assembler.is_full() || (over && !assembler.is_empty()) {
                published = self.hand_over(&mut assembler).await?;
                due = None;
                (heard, followed) = (Instant::now(), Instant::now());
                continue;
            }
            let behind = assembler.complete().saturating_sub(published);
            let follow = behind > FOLLOW_BYTES || (behind > 0 && followed.elapsed() > FOLLOW_EVERY);
            if follow && assembler.is_empty() && !assembler.is_open() {
                published = self.hand_over(&mut assembler).await?;
                followed = Instant::now();
            } else if quiet && wake.is_none() {
                let standbys = self.owned.quorum.ask().await?;
                self.state.standbys(&standbys, assembler.complete());
                if standbys.end > assembler.complete() && heard.elapsed() > SILENCE {
                    return Err(SessionError::Stream("it is silent while the log grows".to_owned()));
                }
            }
        }
    }

    /// Publishes what there is, and tells PostgreSQL. Returns up to where everything is published.
    async fn hand_over(&mut self, assembler: &mut Assembler) -> Result<u64, SessionError> {
        let batch = assembler.take();
        let mut reach = batch.position.lsn;
        if batch.position.partial.is_some() {
            // Where the commit record of an unfinished transaction ends is not known; it is flushed, or it would not be sent.
            reach = reach.max(self.owned.quorum.ask().await?.end);
        }
        self.settle(reach).await?;
        self.step(Step::Settled);
        let lsn = batch.position.lsn;
        self.send(batch).await?;
        self.step(Step::Committed);
        self.owned.stream.update_applied_lsn(Lsn::from(lsn));
        self.step(Step::Acknowledged);
        Ok(lsn)
    }

    /// Waits until no failover can undo what was committed before `reach`.
    async fn settle(&mut self, reach: u64) -> Result<(), SessionError> {
        let (state, limit) = (self.state, self.events.quorum_timeout);
        let standbys = self
            .owned
            .quorum
            .until(reach, limit, || state.waits_for_standbys())
            .await?;
        state.standbys(&standbys, reach);
        Ok(())
    }

    async fn send(&self, batch: Batch) -> Result<(), SessionError> {
        let (limit, failpoint) = (self.events.publish_timeout, self.events.failpoint.clone());
        let batch = Arc::new(batch);
        let sending = batch.clone();
        self.blocking(move |log| log.publish(&sending, limit, &|| reach(failpoint.as_ref(), Step::Sent)))
            .await?;
        self.state.published(&batch);
        Ok(())
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Log) -> Result<T, LogError> + Send + 'static,
    ) -> Result<T, SessionError> {
        let log = self.log.clone();
        let done = spawn_blocking(move || work(log.as_ref())).await;
        Ok(done.map_err(|error| SessionError::Task(error.to_string()))??)
    }

    fn step(&self, step: Step) {
        reach(self.events.failpoint.as_ref(), step);
    }
}

/// Takes in what came by the stream.
fn feed(assembler: &mut Assembler, event: &ReplicationEvent) {
    match event {
        ReplicationEvent::Begin {
            final_lsn,
            commit_time_micros,
            ..
        } => assembler.begin(final_lsn.as_u64(), *commit_time_micros),
        ReplicationEvent::Message {
            transactional: true,
            prefix,
            content,
            ..
        } if prefix == PREFIX => {
            if let Err(reason) = assembler.event(content) {
                metrics::counter!("nova_cdc_rejected_total").increment(1);
                tracing::error!(
                    reason,
                    "a message in the log is no event; it is kept in nova.cdc.rejected"
                );
            }
        }
        ReplicationEvent::Commit { end_lsn, .. } => assembler.commit(end_lsn.as_u64()),
        // Everything before what the server has sent was decoded.
        ReplicationEvent::KeepAlive { wal_end, .. } => assembler.idle(wal_end.as_u64()),
        // Changes of tables, messages of others.
        ReplicationEvent::XLogData { .. } | ReplicationEvent::Message { .. } | ReplicationEvent::StoppedAt { .. } => {}
    }
}

/// Tells of a new epoch.
fn told(position: &Position, broken: Broken) -> Record {
    let event = EpochEvent::from(Began {
        epoch: position.epoch,
        reason: broken.to_string(),
        snapshot: true,
    });
    let envelope = Envelope {
        id: Uuid::now_v7(),
        kind: event.kind().to_owned(),
        source: format!("/{}", crate::NAME),
        subject: event.subject(),
        time: OffsetDateTime::now_utc(),
        traceparent: None,
    };
    let version = Version {
        epoch: position.epoch,
        lsn: position.lsn,
        ordinal: 0,
    };
    let mut headers = envelope.headers();
    headers.extend(version.headers());
    Record {
        topic: EpochEvent::TOPIC.name,
        key: Some(envelope.subject),
        headers,
        body: serde_json::to_vec(&event).unwrap_or_default(),
    }
}

/// Seconds since 1970: a number for an epoch that is greater than those before it, also when Kafka has forgotten them.
fn now() -> u32 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u32::try_from(since.as_secs()).unwrap_or(u32::MAX)
}
