//! The budget keeps its bound over every window; tower's does not, which is why there is one here.

use std::time::{Duration, Instant};

use nova_resilience::Budget;
use proptest::prelude::*;
use tower::retry::budget::{Budget as _, TpsBudget};

const WINDOW: u64 = 10_000;

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// Against a list of all that happened, looked through each time.
    #[test]
    fn retries_stay_within_ratio_or_floor(
        steps in prop::collection::vec((prop_oneof![5 => 0_u64..50, 1 => 0_u64..3000], 0_u8..4, 0_u8..4), 1..400),
        ratio in 0.05_f64..1.0,
        floor in 0_u32..4,
    ) {
        let budget = Budget::new(ratio, floor);
        let start = Instant::now();
        let (mut calls, mut retries): (Vec<u64>, Vec<u64>) = (Vec::new(), Vec::new());
        let mut now = 0;
        for (wait, called, asked) in steps {
            now += wait;
            let at = start + Duration::from_millis(now);
            for _ in 0..called {
                budget.deposit(at);
                calls.push(now);
            }
            for _ in 0..asked {
                let within = |events: &[u64], time: u64| events.iter().filter(|event| *event + time > now).count();
                let allowed_by_floor = within(&retries, 1000) < floor as usize;
                let allowed_by_ratio = (within(&retries, WINDOW) + 1) as f64 <= ratio * within(&calls, WINDOW) as f64;
                let allowed = budget.withdraw(at);
                prop_assert!(!allowed || allowed_by_floor || allowed_by_ratio);
                prop_assert!(allowed || !allowed_by_floor);
                // Not stingy either: what holds with a second to spare is allowed.
                let surely = (within(&retries, WINDOW + 1000) + 1) as f64 <= ratio * within(&calls, WINDOW - 1000) as f64;
                prop_assert!(allowed || !surely);
                if allowed {
                    retries.push(now);
                }
            }
        }
    }
}

#[test]
fn a_dead_host_sees_a_fifth_more_and_the_floor() {
    let budget = Budget::new(0.2, 1);
    let start = Instant::now();
    // A minute of 100 calls a second, each of which would like three retries.
    let mut retries = 0;
    for call in 0..6000 {
        let now = start + Duration::from_millis(call * 10);
        budget.deposit(now);
        retries += (0..3).filter(|_| budget.withdraw(now)).count();
    }
    assert!((1100..=1200).contains(&retries), "{retries}");
}

/// When this fails, tower has changed, and its budget deserves another look.
#[tokio::test(start_paused = true)]
async fn the_budget_of_tower_does_not_keep_the_bound() {
    // A share that is not one over a whole number is rounded up to one: 60 % becomes 100 %.
    let budget = TpsBudget::new(Duration::from_secs(10), 0, 0.6);
    (0..100).for_each(|_| budget.deposit());
    assert_eq!((0..100).filter(|_| budget.withdraw()).count(), 100);

    // The floor of one a second is ten at once.
    let budget = TpsBudget::new(Duration::from_secs(10), 1, 0.2);
    assert_eq!((0..100).filter(|_| budget.withdraw()).count(), 10);
}
