//! Memory of verified tokens: bounded, and never longer than a token lives.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use super::LEEWAY;
use crate::http::Timestamp;

/// Locks are held for well under a microsecond; this many make waiting for one unlikely.
const SHARDS: usize = 8;
/// Tokens in each half of a shard: 8 x 2 x 512 tokens of 80 bytes are about a megabyte.
const HALF: usize = 512;

/// A token's SHA-256: nobody can make another token with the same one.
pub(super) type TokenDigest = [u8; 32];

/// What is remembered of a token.
pub(super) trait Remembered: Clone {
    /// When the token expires.
    fn expires_at(&self) -> Timestamp;
}

/// Verified tokens in two halves a shard: when the young half is full, the old one is forgotten. A token in use moves
/// back to the young half, so the busy ones stay.
pub(super) struct Cache<T> {
    shards: [Mutex<Shard<T>>; SHARDS],
}

struct Shard<T> {
    young: HashMap<TokenDigest, T>,
    old: HashMap<TokenDigest, T>,
}

/// The name of a token in a cache.
pub(super) fn digest(token: &str) -> TokenDigest {
    Sha256::digest(token).into()
}

impl<T: Remembered> Cache<T> {
    pub(super) fn new() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::new(Shard::new())),
        }
    }

    /// The bearer of a token that was verified and has not expired since.
    pub(super) fn get(&self, digest: &TokenDigest) -> Option<T> {
        let mut shard = self.shard(digest);
        let young = shard.young.get(digest).cloned();
        let is_young = young.is_some();
        let bearer = young.or_else(|| shard.old.remove(digest))?;
        if expired(&bearer) {
            shard.young.remove(digest);
            return None;
        }
        if !is_young {
            shard.put(*digest, bearer.clone());
        }
        Some(bearer)
    }

    pub(super) fn put(&self, digest: TokenDigest, bearer: T) {
        self.shard(&digest).put(digest, bearer);
    }

    pub(super) fn clear(&self) {
        for shard in &self.shards {
            *shard.lock().unwrap_or_else(PoisonError::into_inner) = Shard::new();
        }
    }

    fn shard(&self, digest: &TokenDigest) -> std::sync::MutexGuard<'_, Shard<T>> {
        self.shards[usize::from(digest[0]) % SHARDS]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Shard<T> {
    fn new() -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
        }
    }

    fn put(&mut self, digest: TokenDigest, bearer: T) {
        if self.young.len() >= HALF {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(digest, bearer);
    }
}

fn expired(bearer: &impl Remembered) -> bool {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    bearer.expires_at().unix() < now.saturating_sub(LEEWAY)
}

#[cfg(test)]
mod tests {
    use time::{Duration, OffsetDateTime};
    use uuid::Uuid;

    use super::*;
    use crate::http::Caller;

    fn caller(lives: Duration) -> Caller {
        let expires_at = (OffsetDateTime::now_utc() + lives).into();
        Caller {
            account: Uuid::from_u128(1),
            session: Uuid::from_u128(2),
            expires_at,
        }
    }

    #[test]
    fn forgets_expired_tokens() {
        let cache = Cache::new();
        let (fresh, stale) = (digest("fresh"), digest("stale"));
        cache.put(fresh, caller(Duration::minutes(1)));
        cache.put(stale, caller(-Duration::minutes(1)));
        assert!(cache.get(&fresh).is_some());
        assert!(cache.get(&stale).is_none());
    }

    #[test]
    fn is_bounded_and_keeps_what_is_in_use() {
        let cache = Cache::new();
        let busy = digest("busy");
        cache.put(busy, caller(Duration::minutes(1)));
        for number in 0..SHARDS * HALF * 4 {
            cache.put(digest(&number.to_string()), caller(Duration::minutes(1)));
            assert!(cache.get(&busy).is_some(), "lost after {number} others");
        }
        let held: usize = cache
            .shards
            .iter()
            .map(|shard| shard.lock().map_or(0, |s| s.young.len() + s.old.len()))
            .sum();
        assert!(held <= SHARDS * HALF * 2, "{held} tokens are held");
    }

    #[test]
    fn clear_forgets_all() {
        let cache = Cache::new();
        let token = digest("token");
        cache.put(token, caller(Duration::minutes(1)));
        cache.clear();
        assert!(cache.get(&token).is_none());
    }
}
