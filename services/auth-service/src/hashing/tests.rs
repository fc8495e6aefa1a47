//! Tests of the hasher with real threads and real argon2id, at a small cost.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use super::*;

const CHEAP: Cost = Cost {
    memory_kib: 64,
    iterations: 1,
    lanes: 1,
};

fn hasher(cost: Cost, threads: usize, queue: usize) -> Hasher {
    let idle = Duration::from_millis(10);
    Hasher::start(&HasherConfig {
        cost,
        threads,
        queue,
        deadline: Duration::from_secs(10),
        idle,
    })
    .unwrap()
}

fn password(text: &str) -> Password {
    Password::claimed(text.into()).unwrap()
}

#[tokio::test]
async fn a_hash_matches_its_password_only() {
    let hasher = hasher(CHEAP, 2, 8);
    let stored = hasher.hash(password("correct horse")).await.unwrap();
    assert!(stored.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{stored}");
    assert_eq!(
        hasher
            .verify(password("correct horse"), Some(stored.clone()))
            .await
            .unwrap(),
        Verdict::Match
    );
    assert_eq!(
        hasher.verify(password("correct horsf"), Some(stored)).await.unwrap(),
        Verdict::Mismatch
    );
}

#[tokio::test]
async fn agrees_with_the_reference_implementation() {
    // echo -n password | argon2 somesalt -id -t 2 -k 65536 -p 1 -l 24 -e
    let reference = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    let hasher = hasher(CHEAP, 1, 8);
    let verdict = hasher
        .verify(password("password"), Some(reference.into()))
        .await
        .unwrap();
    assert_eq!(
        verdict,
        Verdict::MatchOutdated,
        "the password is right, the cost is not today's"
    );
}

#[tokio::test]
async fn an_unknown_account_costs_one_hash_and_never_matches() {
    let hasher = hasher(CHEAP, 1, 8);
    assert_eq!(
        hasher.verify(password("whatever it is"), None).await.unwrap(),
        Verdict::Mismatch
    );
    assert_eq!(hasher.completed(), 1);
}

#[tokio::test]
async fn a_damaged_hash_is_an_error_and_no_panic() {
    let hasher = hasher(CHEAP, 1, 8);
    let damaged = [
        "",
        "x",
        "$argon2id$",
        "$argon2d$v=19$m=64,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ",
    ];
    for stored in damaged {
        let error = hasher
            .verify(password("whatever it is"), Some(stored.into()))
            .await
            .unwrap_err();
        assert!(matches!(error, HashError::Hash(_)), "{stored}: {error}");
    }
    assert!(hasher.hash(password("still works")).await.is_ok());
}

#[tokio::test]
async fn more_than_the_queue_holds_is_refused_at_once() {
    let slow = Cost {
        memory_kib: 16 * 1024,
        iterations: 8,
        lanes: 1,
    };
    let hasher = hasher(slow, 1, 2);
    let attempts = (0..8).map(|_| hasher.verify(password("whatever it is"), None));
    let results = futures::future::join_all(attempts).await;
    let refused = results
        .iter()
        .filter(|result| matches!(result, Err(HashError::Busy)))
        .count();
    assert!(refused >= 5, "one runs and two wait: {refused} of 8 were refused");
    assert!(results.iter().any(Result::is_ok));
}

#[tokio::test]
async fn who_waited_too_long_is_not_hashed_any_more() {
    let config = HasherConfig {
        cost: CHEAP,
        threads: 1,
        queue: 4,
        deadline: Duration::ZERO,
        idle: Duration::from_millis(10),
    };
    let hasher = Hasher::start(&config).unwrap();
    assert!(matches!(
        hasher.verify(password("whatever it is"), None).await,
        Err(HashError::Busy)
    ));
    assert_eq!(hasher.completed(), 0);
}

#[test]
fn memory_is_given_back() {
    let mut memory = Memory::default();
    let algorithm = Argon2id::new(CHEAP).unwrap();
    algorithm.hash(&password("whatever it is"), &mut memory).unwrap();
    assert!(memory.is_held());
    memory.release();
    assert!(!memory.is_held());
}

#[test]
fn an_old_hash_costs_what_an_unknown_account_costs() {
    let today = Cost {
        memory_kib: 256,
        iterations: 2,
        lanes: 1,
    };
    let algorithm = Argon2id::new(today).unwrap();
    let work = |stored: Option<&str>| {
        let mut memory = Memory::default();
        let verdict = algorithm.verify(&password("a wrong password"), stored, &mut memory);
        assert_eq!(verdict.unwrap(), Verdict::Mismatch);
        memory.filled()
    };
    let unknown = work(None);
    for (memory_kib, iterations) in [(64, 1), (64, 2), (128, 1), (250, 2), (256, 2)] {
        let cost = Cost {
            memory_kib,
            iterations,
            lanes: 1,
        };
        let old = Argon2id::new(cost).unwrap();
        let stored = old.hash(&password("correct horse"), &mut Memory::default()).unwrap();
        let known = work(Some(&stored));
        // But for less than the algorithm's smallest hash.
        assert!(
            known <= unknown && unknown - known < 16,
            "{cost:?}: {known} of {unknown}"
        );
    }
}

#[test]
fn a_hash_from_before_passwords_were_normalised_still_matches() {
    let (composed, decomposed) = ("p\u{e4}sswort lang genug", "pa\u{308}sswort lang genug");
    let algorithm = Argon2id::new(CHEAP).unwrap();
    let mut memory = Memory::default();
    let params = argon2::Params::new(64, 1, 1, Some(32)).unwrap();
    for made_of in [composed, decomposed] {
        let argon2 = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::default(), params.clone());
        let stored = argon2::PasswordHasher::hash_password(&argon2, made_of.as_bytes())
            .unwrap()
            .to_string();
        for typed in [composed, decomposed] {
            let verdict = algorithm.verify(&password(typed), Some(&stored), &mut memory).unwrap();
            let wanted = if made_of == composed {
                Verdict::Match
            } else {
                // Stored anew, it is normal.
                Verdict::MatchOutdated
            };
            assert_eq!(verdict, wanted, "{typed} for a hash of {made_of}");
        }
        let verdict = algorithm.verify(&password("passwort lang genug"), Some(&stored), &mut memory);
        assert_eq!(verdict.unwrap(), Verdict::Mismatch);
    }
}
