//! Writers at a set rate, each with one operation at a time, and what each was told written down.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use crate::doors::{Client, Door, DoorError};
use crate::ledger::Ledger;
use crate::now_ms;
use crate::record::{Entry, Line, Outcome};
use crate::store::Store;

/// How hard clients write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    /// Clients a store.
    pub(crate) writers: u16,
    /// Operations a second of all clients of a store together; the store's own default for `None`.
    pub(crate) per_second: Option<u32>,
}

/// Writers end one operation, and the slowest of those is bounded by this.
const LAST_OPERATION: Duration = Duration::from_secs(70);
/// Pause between two looks at whether writers got on.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Not every client of these stores was acknowledged in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not every writer was acknowledged within {} s: {}", .within.as_secs(), named(.stores))]
pub struct Stuck {
    /// Of which stores.
    pub stores: Vec<Store>,
    /// How long was waited.
    pub within: Duration,
}

fn named(stores: &[Store]) -> String {
    stores.iter().map(Store::to_string).collect::<Vec<_>>().join(", ")
}

/// A client did not end as it should.
#[derive(Debug, thiserror::Error)]
pub enum Unended {
    /// It panicked.
    #[error("a writer failed: {0}")]
    Panicked(JoinError),
    /// Its last operation does not end.
    #[error("a writer did not end within {} s", .within.as_secs())]
    Endless {
        /// How long was waited.
        within: Duration,
    },
}

/// The clients of all stores of one run.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    tasks: JoinSet<Vec<Entry>>,
    acknowledged: Vec<(Store, Arc<AtomicU64>)>,
}

impl Load {
    /// Starts all writers.
    pub(crate) fn start(run: u32, doors: &[Arc<dyn Door>], rate: Rate, ledger: &Ledger) -> Result<Self, DoorError> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        let mut counters = Vec::new();
        for door in doors {
            let per_second = rate.per_second.unwrap_or(door.store().default_rate()).max(1);
            let pace = Duration::from_secs(1) * u32::from(rate.writers) / per_second;
            for number in 0..rate.writers {
                let acknowledged = Arc::new(AtomicU64::new(0));
                counters.push((door.store(), acknowledged.clone()));
                let writer = Writer {
                    run,
                    store: door.store(),
                    number,
                    writers: rate.writers,
                    ledger: ledger.clone(),
                    acknowledged,
                    stop: stop.clone(),
                };
                tasks.spawn(writer.write(door.client(run, number)?, pace));
            }
        }
        Ok(Self {
            stop,
            tasks,
            acknowledged: counters,
        })
    }

    /// Waits until every writer has been acknowledged `times` more; otherwise names the stores that were not.
    pub(crate) async fn progress(&self, times: u64, limit: Duration) -> Result<(), Stuck> {
        let before: Vec<u64> = self.counts().collect();
        let deadline = Instant::now() + limit;
        loop {
            let waiting = self.behind(&before, times);
            if waiting.is_empty() {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(Stuck {
                    stores: waiting.into_iter().collect(),
                    within: limit,
                });
            }
            sleep(LOOK_EVERY).await;
        }
    }

    fn counts(&self) -> impl Iterator<Item = u64> {
        self.acknowledged.iter().map(|(_, count)| count.load(Ordering::Relaxed))
    }

    /// The stores with a writer that was not acknowledged `times` more since.
    fn behind(&self, before: &[u64], times: u64) -> BTreeSet<Store> {
        let stores = self.acknowledged.iter().map(|(store, _)| *store);
        let counts = self.counts().zip(before);
        let waiting = stores
            .zip(counts)
            .filter(|(_, (now, before))| *now < before.saturating_add(times));
        waiting.map(|(store, _)| store).collect()
    }

    /// Lets every writer end its operation, and returns everything that they did.
    pub(crate) async fn end(mut self) -> Result<Vec<Entry>, Unended> {
        self.stop.store(true, Ordering::Relaxed);
        let mut entries = Vec::new();
        let all = async {
            while let Some(ended) = self.tasks.join_next().await {
                entries.extend(ended.map_err(Unended::Panicked)?);
            }
            Ok(())
        };
        match timeout(LAST_OPERATION, all).await {
            Ok(result) => result.map(|()| entries),
            Err(_) => Err(Unended::Endless { within: LAST_OPERATION }),
        }
    }
}

struct Writer {
    run: u32,
    store: Store,
    number: u16,
    writers: u16,
    ledger: Ledger,
    acknowledged: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Writer {
    async fn write(self, mut client: Box<dyn Client>, pace: Duration) -> Vec<Entry> {
        let mut entries = Vec::new();
        let mut ticks = interval(pace.max(Duration::from_micros(100)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut id = u64::from(self.number);
        while !self.stop.load(Ordering::Relaxed) && !self.ledger.broken().is_cancelled() {
            ticks.tick().await;
            let begun = now_ms();
            let outcome = client.write(id).await;
            let entry = Entry {
                run: self.run,
                store: self.store,
                id,
                writer: self.number,
                begun,
                ended: now_ms(),
                outcome,
            };
            self.ledger.append(Line::Entry(entry.clone()));
            entries.push(entry);
            if outcome == Outcome::Acknowledged {
                self.acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            id += u64::from(self.writers);
        }
        entries
    }
}
