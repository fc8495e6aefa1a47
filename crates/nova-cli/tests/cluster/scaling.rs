//! Load raises the number of a service's members, and it goes down again without.

use std::time::Duration;

use crate::support::watch::Watch;
use crate::support::{Platform, wait_for};

/// More members while many requests come.
pub(crate) fn load_adds_members(platform: &Platform) {
    wait_for("measured by the autoscaler", Duration::from_secs(120), || {
        wanted(platform) >= 3
    });
    let watch = Watch::start(platform, &["user-service", "--rate", "20000", "--writers", "64"]);
    wait_for("scaled up under load", Duration::from_secs(180), || {
        wanted(platform) > 3
    });
    watch.end();
}

/// Five minutes after the last load the first one goes, by the autoscaler's settings, and then one a minute. Its measurements begin
/// anew where nodes were away.
pub(crate) fn without_load_they_go(platform: &Platform) {
    let before = wanted(platform);
    wait_for("scaled down without load", Duration::from_secs(540), || {
        wanted(platform) < before.max(4)
    });
    platform.wait_until_healthy("after a member went");
}

fn wanted(platform: &Platform) -> u64 {
    let namespace = platform.namespace("services");
    let scaler = platform.cluster.get(&["hpa", "user-service", "-n", &namespace]);
    scaler["status"]["desiredReplicas"].as_u64().unwrap_or(0)
}
