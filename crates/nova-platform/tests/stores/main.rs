//! Provisioning and checks against real stores, which each test starts for itself and which end with it.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

mod changes;
mod gateway;
mod isolation;
mod leader_key;
mod postgres_checks;
mod postgres_stop;
mod provision;
mod redis_checks;
mod support;
