//! The layers on paused time, alone and composed.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "a test fails by panicking"
)]

mod allocation;
mod budget;
mod bulkhead;
mod cancellation;
mod header;
mod retry;
mod settings;
mod stack;
mod support;
