//! Patroni's log, and PostgreSQL's in the same file.

use super::{Moments, Said, first};

/// Patroni knows that nobody leads, or that whoever leads is to step down.
const NOTICED: [&str; 4] = [
    "Demoting self",
    "Primary crashed. Failing over",
    // Candidates ask each other how far they are.
    "Got response from ",
    "received switchover request",
];
const CHOSEN: &str = "promoted self to leader by acquiring session lock";
const SERVES: &str = "database system is ready to accept connections";

pub(super) fn moments(logs: &[Vec<Said<'_>>]) -> Moments {
    let elected = first(logs, |line| line.contains(CHOSEN));
    let chosen = logs
        .iter()
        .find(|log| log.iter().any(|said| said.text.contains(CHOSEN)));
    let served = chosen.and_then(|log| {
        let lines = log.iter().filter(|said| said.text.contains(SERVES));
        lines.map(|said| said.at).find(|at| Some(*at) >= elected)
    });
    Moments {
        detected: first(logs, |line| NOTICED.iter().any(|noticed| line.contains(noticed))),
        elected,
        served,
    }
}
