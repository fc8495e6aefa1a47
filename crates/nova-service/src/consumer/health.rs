//! How a consumer is: what its partitions do, for readiness and metrics.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use metrics::{counter, gauge};

use super::{Applied, Redriven};
use crate::service::PartState;
use crate::telemetry::names;

/// One partition of a topic.
pub(super) type Partition = (String, i32);

/// What a partition does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It looks for its place.
    Opening,
    /// It reads.
    Running,
    /// It cannot go on for now, and tries again.
    Waiting(String),
    /// No more can be put aside.
    Full(String),
    /// Going on would lose or repeat something.
    Halted(String),
}

#[derive(Clone, Debug)]
struct Seen {
    state: State,
    next: i64,
    /// Nothing was left to be read when it last looked.
    at_end: bool,
    /// When the last record was written that it began with.
    written_at: Option<i64>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Health {
    consumer: &'static str,
    part: PartState,
    /// Why nothing works at all.
    trouble: Mutex<Option<String>>,
    partitions: Mutex<BTreeMap<Partition, Seen>>,
}

impl Health {
    pub(super) fn new(consumer: &'static str) -> Self {
        Self {
            consumer,
            part: PartState::new(consumer),
            trouble: Mutex::new(Some("not connected yet".to_owned())),
            partitions: Mutex::default(),
        }
    }

    pub(super) fn part(&self) -> &PartState {
        &self.part
    }

    /// Notes why nothing works, or that it does.
    pub(super) fn trouble(&self, reason: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = reason;
        self.tell();
    }

    /// Notes what a partition does.
    pub(super) fn set(&self, partition: &Partition, state: State) {
        let blocked = matches!(state, State::Waiting(_) | State::Full(_) | State::Halted(_));
        self.gauge(names::CONSUMER_BLOCKED, partition, f64::from(u8::from(blocked)));
        let fresh = Seen {
            state: State::Opening,
            next: 0,
            at_end: false,
            written_at: None,
        };
        self.partitions().entry(partition.clone()).or_insert(fresh).state = state;
        self.tell();
    }

    /// Notes how far a partition is.
    pub(super) fn moved(&self, partition: &Partition, next: i64) {
        if let Some(seen) = self.partitions().get_mut(partition) {
            seen.next = next;
        }
    }

    /// Notes that there was something to read, or that there was nothing more.
    pub(super) fn read(&self, partition: &Partition, written_at: Option<i64>) {
        if let Some(seen) = self.partitions().get_mut(partition) {
            seen.at_end = written_at.is_none();
            seen.written_at = written_at.or(seen.written_at);
        }
    }

    /// Forgets a partition that another member has now.
    pub(super) fn remove(&self, partition: &Partition) {
        self.partitions().remove(partition);
        for name in [
            names::CONSUMER_BLOCKED,
            names::CONSUMER_LAG,
            names::CONSUMER_LAG_SECONDS,
            names::CONSUMER_DEAD_LETTERS,
        ] {
            self.gauge(name, partition, 0.0);
        }
        self.tell();
    }

    pub(super) fn owned(&self) -> Vec<Partition> {
        self.partitions().keys().cloned().collect()
    }

    /// Publishes how far a partition is behind, given where it ends.
    pub(super) fn behind(&self, partition: &Partition, end: i64) {
        let Some(seen) = self.partitions().get(partition).cloned() else {
            return;
        };
        // Behind the last event lies the mark of its transaction, which nobody reads; so the end alone tells too much.
        let caught_up = seen.at_end && seen.state == State::Running;
        let records = if caught_up { 0 } else { (end - seen.next).max(0) };
        let seconds = match seen.written_at {
            Some(written_at) if records > 0 => since(written_at).as_secs_f64(),
            _ => 0.0,
        };
        #[allow(clippy::cast_precision_loss, reason = "a gauge; no topic has 2^53 records")]
        self.gauge(names::CONSUMER_LAG, partition, records as f64);
        self.gauge(names::CONSUMER_LAG_SECONDS, partition, seconds);
    }

    pub(super) fn count(&self, topic: &str, applied: Applied) {
        for (result, count) in [
            ("applied", applied.applied),
            ("stale", applied.stale),
            ("dead", applied.dead),
            ("parked", applied.parked),
        ] {
            self.add(topic, result, count);
        }
    }

    pub(super) fn redriven(&self, partition: &Partition, redriven: Redriven) {
        for (result, count) in [
            ("redriven", redriven.applied),
            ("stale", redriven.stale),
            ("redrive_failed", redriven.failed),
        ] {
            self.add(&partition.0, result, count);
        }
        #[allow(clippy::cast_precision_loss, reason = "a gauge of a bounded number")]
        self.gauge(names::CONSUMER_DEAD_LETTERS, partition, redriven.left as f64);
    }

    pub(super) fn unknown(&self, topic: &str, count: u64) {
        self.add(topic, "unknown", count);
    }

    pub(super) fn failed(&self, topic: &str, kind: &'static str) {
        counter!(names::CONSUMER_FAILURES, "consumer" => self.consumer, "topic" => topic.to_owned(), "kind" => kind)
            .increment(1);
    }

    fn add(&self, topic: &str, result: &'static str, count: u64) {
        if count > 0 {
            counter!(names::CONSUMER_EVENTS, "consumer" => self.consumer, "topic" => topic.to_owned(), "result" => result)
                .increment(count);
        }
    }

    fn gauge(&self, name: &'static str, (topic, partition): &Partition, value: f64) {
        gauge!(name, "consumer" => self.consumer, "topic" => topic.clone(), "partition" => partition.to_string())
            .set(value);
    }

    /// Tells readiness.
    fn tell(&self) {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let reason = trouble.or_else(|| {
            let partitions = self.partitions();
            let complaints = partitions.iter().filter_map(|((topic, partition), seen)| {
                let (word, reason) = match &seen.state {
                    State::Opening | State::Running => return None,
                    State::Waiting(reason) => ("waits", reason),
                    State::Full(reason) => ("is stopped", reason),
                    State::Halted(reason) => ("is halted", reason),
                };
                Some(format!("partition {partition} of {topic} {word}: {reason}"))
            });
            let complaints: Vec<_> = complaints.collect();
            (!complaints.is_empty()).then(|| complaints.join("; "))
        });
        match reason {
            None => self.part.set_up(),
            Some(reason) => self.part.set_down(&reason),
        }
    }

    fn partitions(&self) -> MutexGuard<'_, BTreeMap<Partition, Seen>> {
        // The value is whole at every moment, whoever panicked.
        self.partitions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn since(written_at: i64) -> Duration {
    let written = UNIX_EPOCH + Duration::from_millis(u64::try_from(written_at).unwrap_or(0));
    SystemTime::now().duration_since(written).unwrap_or_default()
}
