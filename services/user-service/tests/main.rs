//! user-service over real HTTP, with a real PostgreSQL, and tokens of a test's own issuer.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod account;
mod bad_input;
mod blocks;
mod comments;
mod concurrency;
mod deletion;
mod feed;
mod follow_requests;
mod follows;
mod hot;
mod idempotency;
mod likes;
mod openapi;
mod ownership;
mod postponed;
mod posts;
mod profiles;
mod support;
mod told;
mod visibility;
