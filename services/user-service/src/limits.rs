//! How much one account may ask of a member, so that none takes the others' share. Each member counts for itself: an account
//! that reaches all of them gets as much from each, and nobody waits for a counter that is elsewhere.

use std::collections::HashMap;
use std::mem;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::Method;
use nova_service::Problem;
use tokio::time::Instant;
use utoipa::openapi::{Content, OpenApi, Ref, ResponseBuilder};
use uuid::Uuid;

use crate::config::UsersConfig;

/// So many seconds' worth may come at once.
const BURST: u32 = 10;
/// How many accounts a generation holds: about 2 MiB.
const GENERATION: usize = 32_768;

/// The limits of a member.
#[derive(Debug)]
pub(crate) struct Limits {
    reads: Limit,
    writes: Limit,
}

/// A rate for each account, kept as the time until which it has used up what it may.
#[derive(Debug)]
struct Limit {
    /// Between two requests at the rate; none without a limit.
    pause: Option<Duration>,
    used_until: Mutex<Generations>,
}

/// A bounded map. When a generation is full the one before it is forgotten, which is the accounts that asked longest ago.
#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Uuid, Instant>,
    old: HashMap<Uuid, Instant>,
}

impl Limits {
    pub(crate) fn new(settings: &UsersConfig) -> Self {
        Self {
            reads: Limit::new(settings.reads_per_second),
            writes: Limit::new(settings.writes_per_second),
        }
    }

    /// Counts a request of the account, or refuses it.
    pub(crate) fn check(&self, account: Uuid, method: &Method) -> Result<(), Problem> {
        let limit = if method.is_safe() { &self.reads } else { &self.writes };
        limit
            .take(account, Instant::now())
            .map_err(|wait| Problem::too_many_requests(wait).detail("too many requests of one account"))
    }
}

/// Says of every route for people that it may be refused.
pub(crate) fn describe(api: &mut OpenApi) {
    let refused = ResponseBuilder::new()
        .description(
            "`too_many_requests`: the account had its share of this member; try again after `Retry-After` seconds",
        )
        .content(
            "application/problem+json",
            Content::new(Some(Ref::from_schema_name("Problem"))),
        )
        .build();
    for (path, item) in &mut api.paths.paths {
        if path.starts_with("/api/v1/internal/") {
            continue;
        }
        let methods = [
            &mut item.get,
            &mut item.put,
            &mut item.post,
            &mut item.delete,
            &mut item.patch,
        ];
        for operation in methods.into_iter().flatten() {
            let responses = &mut operation.responses.responses;
            responses.insert("429".to_owned(), refused.clone().into());
        }
    }
}

impl Limit {
    fn new(per_second: u32) -> Self {
        Self {
            pause: (per_second > 0).then(|| Duration::from_secs(1) / per_second),
            used_until: Mutex::default(),
        }
    }

    /// The time to wait when nothing is left.
    fn take(&self, account: Uuid, now: Instant) -> Result<(), Duration> {
        let Some(pause) = self.pause else { return Ok(()) };
        // The map is whole at every moment, whoever panicked.
        let mut generations = self.used_until.lock().unwrap_or_else(PoisonError::into_inner);
        let used = generations.get(account).map_or(now, |until| until.max(now)) + pause;
        let ahead = used - now;
        let most = Duration::from_secs(u64::from(BURST)).max(pause);
        if ahead > most {
            return Err(ahead - most);
        }
        generations.insert(account, used);
        Ok(())
    }
}

impl Generations {
    fn get(&self, account: Uuid) -> Option<Instant> {
        self.young.get(&account).or_else(|| self.old.get(&account)).copied()
    }

    fn insert(&mut self, account: Uuid, until: Instant) {
        if self.young.len() >= GENERATION && !self.young.contains_key(&account) {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(account, until);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

    use super::*;

    #[test]
    fn a_burst_then_the_rate_for_each_account() {
        let limit = Limit::new(2);
        let (start, [one, other]) = (Instant::now(), [1, 2].map(Uuid::from_u128));
        for _ in 0..2 * BURST {
            assert_eq!(limit.take(one, start), Ok(()));
        }
        assert_eq!(limit.take(one, start), Err(Duration::from_millis(500)));
        assert_eq!(limit.take(other, start), Ok(()), "another account has its own");
        let later = start + Duration::from_millis(500);
        assert_eq!(limit.take(one, later), Ok(()));
        assert!(limit.take(one, later).is_err());
        let much_later = start + Duration::from_secs(3600);
        let taken = (0..100).filter(|_| limit.take(one, much_later).is_ok()).count();
        assert_eq!(taken, 20, "what was not used is not saved up");
    }

    #[test]
    fn no_limit_is_none_and_the_accounts_are_bounded() {
        let free = Limit::new(0);
        assert!((0..1_000).all(|_| free.take(Uuid::nil(), Instant::now()).is_ok()));
        let limit = Limit::new(1);
        let now = Instant::now();
        for number in 0..3 * GENERATION as u128 {
            let _ = limit.take(Uuid::from_u128(number), now);
        }
        let generations = limit.used_until.lock().unwrap();
        assert!(generations.young.len() <= GENERATION && generations.old.len() <= GENERATION);
    }
}
