//! auth-service over real HTTP, with a real PostgreSQL and a real Redis.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod account_deletion;
mod audit;
mod bad_input;
mod keys;
mod login;
mod openapi;
mod password;
mod refresh;
mod register;
mod retention;
mod schemathesis;
mod service_tokens;
mod sessions;
mod support;
mod throttling;
mod told;
