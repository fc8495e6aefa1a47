//! Consumers over a real Kafka and a real PostgreSQL: each event has its effect once, whatever dies.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "consumers/crash.rs"]
mod crash;
#[path = "consumers/dead_letters.rs"]
mod dead_letters;
#[path = "consumers/desk.rs"]
mod desk;
#[path = "consumers/outages.rs"]
mod outages;
#[path = "consumers/passed_over.rs"]
mod passed_over;
#[path = "consumers/rebalance.rs"]
mod rebalance;
#[path = "consumers/redrive.rs"]
mod redrive;
#[path = "consumers/support.rs"]
mod support;
