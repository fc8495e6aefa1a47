//! The Sentinels' log, and that of the server which becomes the master. A Sentinel sees up to a second later than the server
//! itself that it was promoted, and clients ask the Sentinels: that second is rerouting.

use super::{Moments, Said, first};

pub(super) fn moments(logs: &[Vec<Said<'_>>]) -> Moments {
    let said = |event: &'static str| first(logs, move |line| line.contains(event));
    let elected = said(" +selected-slave ").or_else(|| said(" +elected-leader master "));
    let after_election = |event: &'static str| {
        let lines = logs.iter().flatten().filter(|said| said.text.contains(event));
        lines.map(|said| said.at).filter(|at| Some(*at) >= elected).min()
    };
    Moments {
        // Whoever saw the master die asks for its successor before the Sentinels agree that it is down.
        detected: [said("Executing user requested FAILOVER"), said(" +odown master ")]
            .into_iter()
            .flatten()
            .min(),
        elected,
        served: after_election("MASTER MODE enabled").or_else(|| after_election(" +promoted-slave ")),
    }
}
