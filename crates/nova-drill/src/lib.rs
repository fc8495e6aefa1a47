//! Drills: a fault, injected while clients write and keep a ledger, and the report of what it cost.

pub mod aim;
mod budgets;
pub mod campaign;
pub mod chance;
pub mod circumstances;
pub mod clients;
pub mod doors;
pub mod error;
pub mod fault;
pub mod health;
pub mod html;
mod inflict;
pub mod judge;
pub mod ledger;
mod load;
pub mod phases;
pub mod record;
pub mod recovery_times;
pub mod report;
pub mod self_test;
pub mod store;
pub mod switchover;
pub mod watch;

use std::time::{SystemTime, UNIX_EPOCH};

/// Unix time in milliseconds, by this machine's clock.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
