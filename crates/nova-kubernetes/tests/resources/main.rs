//! What is rendered, read back as YAML and judged as a cluster would.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "a test may panic, and documents by its name"
)]

mod doors;
mod flows;
mod names;
mod network;
mod objects;
mod pods;
mod rendered;
mod restricted;
mod roles;
mod secrets;
mod stores;
