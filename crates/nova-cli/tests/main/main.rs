//! The `nova` command as its users run it: the real binary, on platforms of their own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "a test may panic, and documents by its name"
)]

#[path = "../common/accepted.rs"]
mod accepted;
mod bad_input;
#[path = "../common/call.rs"]
mod call;
mod calls;
mod drill;
mod etcd_members;
mod faults;
mod lifecycle;
#[path = "../common/long.rs"]
mod long;
mod readme;
mod render;
#[path = "../common/scenarios.rs"]
mod scenarios;
#[path = "../common/schema.rs"]
mod schema;
mod settings;
mod shell;
mod support;
mod wrapper;
