//! How long each component took, and which chain of them decided when the platform was up.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::components::ComponentId;

/// When a component started and passed, counted from the begin of the rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentTiming {
    /// The component's name.
    pub name: ComponentId,
    /// What it waited for.
    pub needs: Vec<ComponentId>,
    /// When its members were started; where they were started ahead of what they need, when that worked.
    pub started: Duration,
    /// When its checks had passed.
    pub finished: Duration,
}

/// The chain that decided when the platform was up: the last component to pass, before it the need that passed last, and so
/// on, first one first. Each entry's own share is `finished - started`.
#[must_use]
pub fn critical_chain(timings: &[ComponentTiming]) -> Vec<&ComponentTiming> {
    let mut chain = Vec::new();
    let mut next = timings.iter().max_by_key(|timing| timing.finished);
    while let Some(timing) = next {
        chain.push(timing);
        next = timings
            .iter()
            .filter(|other| timing.needs.contains(&other.name))
            .max_by_key(|other| other.finished);
    }
    chain.reverse();
    chain
}

#[cfg(test)]
mod tests {
    use super::{ComponentTiming, critical_chain};
    use std::time::Duration;

    fn timing(name: &str, needs: &[&str], started: u64, finished: u64) -> ComponentTiming {
        ComponentTiming {
            name: name.into(),
            needs: needs.iter().map(|need| (*need).into()).collect(),
            started: Duration::from_secs(started),
            finished: Duration::from_secs(finished),
        }
    }

    #[test]
    fn the_chain_follows_the_need_that_passed_last() {
        let timings = [
            timing("etcd", &[], 0, 2),
            timing("postgres", &["etcd"], 2, 11),
            timing("redis", &[], 0, 3),
            timing("kafka", &[], 0, 9),
            timing("user-service", &["postgres", "redis"], 11, 12),
        ];
        let names: Vec<_> = critical_chain(&timings)
            .iter()
            .map(|timing| timing.name.as_str())
            .collect();
        assert_eq!(names, ["etcd", "postgres", "user-service"]);
        assert!(critical_chain(&[]).is_empty());
    }
}
