//! The chassis of Nova's services: what is the same in each of them, so that a service holds only what is its own.
//!
//! A service is built with [`Service`], run by [`start`], and made of routes whose extractors and errors come from
//! here. [`Postgres`], [`Redis`] and [`TokenVerifier`] are its parts: each recovers by itself and says when it cannot
//! be used.

mod backoff;
mod client;
pub mod config;
pub mod consumer;
mod events;
mod http;
mod postgres;
mod redis;
mod service;
pub mod telemetry;
mod token;

pub use client::{Answer, CallBuilder, CallError, Client};
pub use events::Teller;
pub use http::{
    CODES, Caller, ClientAddress, Code, FieldError, IdempotencyKey, Json, List, Page, Path, Problem, ProblemBody,
    Query, Timestamp, codes, errors_markdown,
};
pub use postgres::{DatabaseError, Postgres, commit, idempotency};
pub use redis::Redis;
pub use service::{Listeners, PartState, Running, Service, Unavailable, start};
pub use token::{
    ACCESS_TOKEN_TYPE, AccessClaims, Audience, EraseAccounts, Granted, OwnTokenError, ReadAccounts, SERVICE_TOKEN_TYPE,
    Scope, ServiceCaller, ServiceClaims, ServiceTokens, TokenError, TokenVerifier,
};
