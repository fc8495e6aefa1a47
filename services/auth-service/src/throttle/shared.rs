//! The counters in Redis, common to all members: one round trip an attempt.

use std::time::Duration;

use fred::{
    interfaces::{KeysInterface, LuaInterface},
    types::Expiration,
};
use nova_service::{Redis, Unavailable};

use super::{Counter, limit::millis};

const SCRIPT: &str = include_str!("attempt.lua");
const PREFIX: &str = "auth:throttle:";

/// For how long an address is trusted after its last successful login.
const TRUST: Duration = Duration::from_secs(30 * 24 * 3600);

#[derive(Debug, thiserror::Error)]
pub(super) enum SharedError {
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    #[error(transparent)]
    Redis(#[from] fred::error::Error),
}

/// Zero means counted.
pub(super) async fn attempt(redis: &Redis, counters: &[Counter], trusted: &str) -> Result<Duration, SharedError> {
    let keys = counters
        .iter()
        .map(|counter| counter.key.as_str())
        .chain([trusted])
        .map(key)
        .collect::<Vec<_>>();
    let arguments = counters.iter().flat_map(arguments).collect::<Vec<_>>();
    let wait: u64 = redis.client()?.eval(SCRIPT, keys, arguments).await?;
    Ok(Duration::from_millis(wait))
}

pub(super) async fn succeeded(redis: &Redis, pair: &str, trusted: &str) -> Result<(), SharedError> {
    let pipeline = redis.client()?.next().pipeline();
    let expiry = Expiration::EX(TRUST.as_secs().cast_signed());
    let _: () = pipeline.del(key(pair)).await?;
    let _: () = pipeline.set(key(trusted), "1", Some(expiry), None, false).await?;
    pipeline.all::<()>().await?;
    Ok(())
}

fn key(name: &str) -> String {
    format!("{PREFIX}{name}")
}

fn arguments(counter: &Counter) -> [String; 5] {
    let limit = &counter.limit;
    [
        limit.burst.to_string(),
        millis(limit.forget).to_string(),
        millis(limit.first_wait).to_string(),
        millis(limit.longest_wait).to_string(),
        u8::from(counter.exemptible).to_string(),
    ]
}
