//! Each step of the way broken: the member crashes there, hangs there for so long that another takes over, or goes on late.

use crate::support::Stage;
use crate::writers::{Writers, judge};

const STEPS: [&str; 7] = [
    "owned",
    "fenced",
    "judged",
    "settled",
    "sent",
    "committed",
    "acknowledged",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wherever_a_member_breaks_each_event_is_published_once() {
    let stage = Stage::new().await;
    let writers = Writers::start(&stage.pool, 2);
    for step in STEPS {
        for (action, time) in [("crash", 1), ("crash", 3), ("late", 2)] {
            // The first steps are taken once.
            if time > 1 && ["owned", "fenced", "judged"].contains(&step) {
                continue;
            }
            let failpoint = format!("--events-failpoint={step}:{action}:{time}");
            let mut member = stage.member(&[&failpoint]);
            if action == "crash" {
                member.until_ended().await;
            } else {
                member.until_role("publishes").await;
                tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
            }
        }
    }
    for step in ["owned", "judged", "sent", "committed"] {
        let failpoint = format!("--events-failpoint={step}:hang:1");
        let hanging = stage.member(&[&failpoint]);
        tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
        // The slot is taken from the one that hangs, because its process is stopped as a whole.
        nix::sys::signal::kill(hanging.id(), nix::sys::signal::Signal::SIGSTOP).unwrap();
        let other = stage.member(&[]);
        other.until_role("publishes").await;
        nix::sys::signal::kill(hanging.id(), nix::sys::signal::Signal::SIGCONT).unwrap();
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    }
    let last = stage.member(&[]);
    let acknowledged = writers.stop().await;
    let published = stage.until_probes(acknowledged.len()).await;
    judge(&acknowledged, &published);
    drop(last);
}
