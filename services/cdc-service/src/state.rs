//! What a member says of itself: in `/api/v1/events/publisher`, in readiness, in `/metrics`.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use metrics::{counter, gauge, histogram};
use nova_events::Position;
use nova_service::PartState;
use serde::Serialize;
use utoipa::ToSchema;

use crate::assemble::Batch;
use crate::judge::Broken;
use crate::source::Standbys;

/// Seconds between 1970 and 2000, where PostgreSQL's time begins.
const POSTGRES_EPOCH: i64 = 946_684_800;

/// What a member does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    /// Another member works.
    StandsBy,
    /// It owns the slot and finds out where to go on.
    Starts,
    /// It works.
    Publishes,
    /// It works, and waits for PostgreSQL's synchronous standbys.
    WaitsForStandbys,
    /// It cannot work, and tries again.
    Waits,
}

/// A member as it is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Shown {
    /// What it does.
    pub(crate) role: Role,
    /// Why it does not work, when it would.
    pub(crate) reason: Option<String>,
    /// The epoch in which it publishes.
    pub(crate) epoch: Option<u32>,
    /// Everything that was committed before this place in the log is published.
    pub(crate) lsn: Option<u64>,
    /// How much of the log was not read yet, in bytes.
    pub(crate) lag_bytes: Option<u64>,
    /// Whether what is published is on a synchronous standby first. Without any (`synchronous_mode` is off, or no standby is
    /// left) a failover may undo what was published.
    pub(crate) protected: Option<bool>,
    /// Why the epoch began, if it did under this member.
    pub(crate) broken: Option<Broken>,
}

/// See the module.
pub(crate) struct State {
    part: PartState,
    shown: Mutex<Shown>,
}

impl State {
    pub(crate) fn new() -> Self {
        let shown = Shown {
            role: Role::Waits,
            reason: Some("not started yet".to_owned()),
            epoch: None,
            lsn: None,
            lag_bytes: None,
            protected: None,
            broken: None,
        };
        Self {
            part: PartState::new("stream"),
            shown: Mutex::new(shown),
        }
    }

    pub(crate) fn part(&self) -> &PartState {
        &self.part
    }

    pub(crate) fn shown(&self) -> Shown {
        self.lock().clone()
    }

    /// Another member works.
    pub(crate) fn stands_by(&self) {
        self.become_(Role::StandsBy, None);
        self.part.set_up();
        gauge!("nova_cdc_active").set(0.0);
    }

    /// The slot is its own.
    pub(crate) fn starts(&self) {
        self.become_(Role::Starts, None);
    }

    /// It cannot work.
    pub(crate) fn waits(&self, reason: &str) {
        self.become_(Role::Waits, Some(reason.to_owned()));
        self.part.set_down(reason);
        gauge!("nova_cdc_active").set(0.0);
    }

    /// It goes on from here.
    pub(crate) fn publishes(&self, position: &Position, broken: Option<Broken>) {
        {
            let mut shown = self.lock();
            shown.role = Role::Publishes;
            shown.reason = None;
            shown.broken = broken.or(shown.broken);
        }
        if let Some(reason) = broken {
            counter!("nova_cdc_epochs_total", "reason" => reason.word()).increment(1);
        }
        self.at(position);
        self.part.set_up();
        gauge!("nova_cdc_active").set(1.0);
    }

    /// PostgreSQL's standbys do not have yet what is to be published.
    pub(crate) fn waits_for_standbys(&self) {
        self.lock().role = Role::WaitsForStandbys;
    }

    /// PostgreSQL told of itself.
    pub(crate) fn standbys(&self, standbys: &Standbys, complete: u64) {
        let lag = standbys.end.saturating_sub(complete);
        {
            let mut shown = self.lock();
            if shown.role == Role::WaitsForStandbys {
                shown.role = Role::Publishes;
            }
            shown.lag_bytes = Some(lag);
            shown.protected = Some(standbys.needed > 0);
        }
        gauge!("nova_cdc_lag_bytes").set(as_float(lag));
        gauge!("nova_cdc_protected").set(if standbys.needed > 0 { 1.0 } else { 0.0 });
    }

    /// A batch was published.
    pub(crate) fn published(&self, batch: &Batch) {
        counter!("nova_cdc_transactions_total").increment(batch.transactions);
        for record in &batch.records {
            counter!("nova_cdc_events_total", "topic" => record.topic).increment(1);
        }
        let lag = batch.oldest.map_or(0.0, since);
        if batch.oldest.is_some() {
            histogram!("nova_cdc_publish_duration_seconds").record(lag);
        }
        gauge!("nova_cdc_lag_seconds").set(lag);
        self.at(&batch.position);
    }

    fn at(&self, position: &Position) {
        {
            let mut shown = self.lock();
            shown.epoch = Some(position.epoch);
            shown.lsn = Some(position.lsn);
        }
        gauge!("nova_cdc_epoch").set(f64::from(position.epoch));
        gauge!("nova_cdc_position_lsn").set(as_float(position.lsn));
    }

    fn become_(&self, role: Role, reason: Option<String>) {
        let mut shown = self.lock();
        shown.role = role;
        shown.reason = reason;
    }

    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Seconds since a time of PostgreSQL's, by this machine's clock.
fn since(microseconds: i64) -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let then = microseconds.saturating_add(POSTGRES_EPOCH * 1_000_000);
    let now = i64::try_from(now.as_micros()).unwrap_or(i64::MAX);
    u32::try_from(now.saturating_sub(then) / 1000).map_or(0.0, |milliseconds| f64::from(milliseconds) / 1000.0)
}

/// Gauges are floating-point numbers: exact up to 2^53, which is 8 PiB of log.
#[allow(clippy::cast_precision_loss, reason = "as said above")]
fn as_float(bytes: u64) -> f64 {
    bytes as f64
}
