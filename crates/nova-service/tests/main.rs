//! The chassis over real HTTP, with a real PostgreSQL and a real Redis behind it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod browsers;
mod calls;
mod deadlines;
mod idempotency;
mod life;
mod limits;
mod outages;
mod problems;
mod service_tokens;
mod support;
mod tokens;
