//! Accounts whose profile is known to exist, so that looking for it is not part of every request.
//!
//! A profile ends when its account is deleted, perhaps by another member: [`crate::deletions`] asks every second which ones
//! were, and takes them out here. Until then such an account sees nothing of its own, and what it tries to write fails on the
//! foreign key of the profile that is not there.

use std::collections::HashSet;
use std::mem;
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

/// How many accounts a generation holds: about 1 MiB.
const GENERATION: usize = 32_768;

/// A bounded set. When a generation is full the one before it is forgotten; forgetting costs one look-up later.
#[derive(Debug, Default)]
pub(crate) struct KnownAccounts(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    young: HashSet<Uuid>,
    old: HashSet<Uuid>,
}

impl KnownAccounts {
    pub(crate) fn contains(&self, account: Uuid) -> bool {
        let mut generations = self.lock();
        if generations.young.contains(&account) {
            return true;
        }
        let was_old = generations.old.contains(&account);
        if was_old {
            generations.insert(account);
        }
        was_old
    }

    pub(crate) fn insert(&self, account: Uuid) {
        self.lock().insert(account);
    }

    /// Forgets an account whose profile may be gone.
    pub(crate) fn remove(&self, account: Uuid) {
        let mut generations = self.lock();
        generations.young.remove(&account);
        generations.old.remove(&account);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Generations> {
        // The sets are whole at every moment, whoever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn insert(&mut self, account: Uuid) {
        if self.young.len() >= GENERATION {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(account);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_the_oldest_and_keeps_what_is_used() {
        let known = KnownAccounts::default();
        let (used, unused) = (Uuid::from_u128(1), Uuid::from_u128(2));
        known.insert(used);
        known.insert(unused);
        for id in 0..2 * GENERATION as u128 {
            known.insert(Uuid::from_u128(1000 + id));
            assert!(known.contains(used));
        }
        assert!(!known.contains(unused));
        let generations = known.lock();
        assert!(generations.young.len() <= GENERATION && generations.old.len() <= GENERATION);
    }
}
