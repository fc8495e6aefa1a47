//! The controller's and the brokers' log, where they say enough: warnings alone tell nothing of this.

use super::{Moments, Said, first, last};

/// Of whom it heard nothing for too long, or is told by a last heartbeat that it is dead (decision 13).
const FENCED: [&str; 2] = ["because its session has timed out", "been granted fencing"];
/// The controller has written down that the broker leads nothing any more, and with it who leads instead.
const RECORDED: [&str; 2] = ["Replayed BrokerRegistrationChangeRecord", "fenced=1,"];
/// A broker leads a partition that another one led before.
const LEADS: [&str; 3] = ["Leader ", " starts at leader epoch ", "Previous leader Some("];

pub(super) fn moments(logs: &[Vec<Said<'_>>]) -> Moments {
    let has = |line: &str, parts: &[&str]| parts.iter().all(|part| line.contains(part));
    let Some(detected) = first(logs, |line| FENCED.iter().any(|said| line.contains(said))) else {
        return Moments::default();
    };
    // A broker that starts again repeats what was recorded long before.
    let recorded = logs
        .iter()
        .flatten()
        .filter(|said| said.at >= detected && has(said.text, &RECORDED));
    Moments {
        detected: Some(detected),
        elected: recorded.map(|said| said.at).min(),
        // Each partition has a leader of its own: the last of them counts.
        served: last(logs, |line| has(line, &LEADS)).filter(|at| *at >= detected),
    }
}
