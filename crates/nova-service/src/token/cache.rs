//! Memory of verified tokens: bounded, and never longer than a token lives.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use super::LEEWAY;
use crate::http::Caller;

/// Locks are held for well under a microsecond; this many make waiting for one unlikely.
const SHARDS: usize = 8;
/// Tokens in each half of a shard: 8 x 2 x 512 tokens of 80 bytes are about a megabyte.
const HALF: usize = 512;

/// A token's SHA-256: nobody can make another token with the same one.
pub(super) type TokenDigest = [u8; 32];

/// Verified tokens in two halves a shard: when the young half is full, the old one is forgotten. A token in use moves
/// back to the young half, so the busy ones stay.
pub(super) struct Cache {
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Default)]
struct Shard {
    young: HashMap<TokenDigest, Caller>,
    old: HashMap<TokenDigest, Caller>,
}

impl Cache {
    pub(super) fn new() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }

    pub(super) fn digest(token: &str) -> TokenDigest {
        Sha256::digest(token).into()
    }

    /// The bearer of a token that was verified and has not expired since.
    pub(super) fn get(&self, digest: &TokenDigest) -> Option<Caller> {
        let mut shard = self.shard(digest);
        let young = shard.young.get(digest).copied();
        let caller = young.or_else(|| shard.old.remove(digest))?;
        if expired(&caller) {
            shard.young.remove(digest);
            return None;
        }
        if young.is_none() {
            shard.put(*digest, caller);
        }
        Some(caller)
    }

    pub(super) fn put(&self, digest: TokenDigest, caller: Caller) {
        self.shard(&digest).put(digest, caller);
    }

    pub(super) fn clear(&self) {
        for shard in &self.shards {
            *shard.lock().unwrap_or_else(PoisonError::into_inner) = Shard::default();
        }
    }

    fn shard(&self, digest: &TokenDigest) -> std::sync::MutexGuard<'_, Shard> {
        self.shards[usize::from(digest[0]) % SHARDS]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    fn put(&mut self, digest: TokenDigest, caller: Caller) {
        if self.young.len() >= HALF {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(digest, caller);
    }
}

fn expired(caller: &Caller) -> bool {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    caller.expires_at.unix() < now.saturating_sub(LEEWAY)
}

#[cfg(test)]
mod tests {
    use time::{Duration, OffsetDateTime};
    use uuid::Uuid;

    use super::*;

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
        let (fresh, stale) = (Cache::digest("fresh"), Cache::digest("stale"));
        cache.put(fresh, caller(Duration::minutes(1)));
        cache.put(stale, caller(-Duration::minutes(1)));
        assert!(cache.get(&fresh).is_some());
        assert!(cache.get(&stale).is_none());
    }

    #[test]
    fn is_bounded_and_keeps_what_is_in_use() {
        let cache = Cache::new();
        let busy = Cache::digest("busy");
        cache.put(busy, caller(Duration::minutes(1)));
        for number in 0..SHARDS * HALF * 4 {
            cache.put(Cache::digest(&number.to_string()), caller(Duration::minutes(1)));
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
        let digest = Cache::digest("token");
        cache.put(digest, caller(Duration::minutes(1)));
        cache.clear();
        assert!(cache.get(&digest).is_none());
    }
}
