//! cdc-service as a process, between a real PostgreSQL and a real Kafka: what is committed is published once and in order, whatever
//! happens to it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "publisher/breaks.rs"]
mod breaks;
#[path = "publisher/failpoints.rs"]
mod failpoints;
#[path = "publisher/flow.rs"]
mod flow;
#[path = "publisher/kills.rs"]
mod kills;
#[path = "publisher/standbys.rs"]
mod standbys;
#[path = "publisher/support.rs"]
mod support;
#[path = "publisher/writers.rs"]
mod writers;
