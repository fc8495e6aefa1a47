//! Load raises the number of a service's members.

use std::time::Duration;

use crate::support::watch::Watch;
use crate::support::{Platform, wait_for};

/// The way down takes five minutes by design: it is measured by hand (docs/benchmarks.md), and its settings are in the rendered files.
pub(crate) fn load_adds_members(platform: &Platform) {
    let namespace = platform.namespace("services");
    let wanted = || {
        let scaler = platform.cluster.get(&["hpa", "user-service", "-n", &namespace]);
        scaler["status"]["desiredReplicas"].as_u64().unwrap_or(0)
    };
    wait_for("measured by the autoscaler", Duration::from_secs(120), || wanted() >= 3);
    let watch = Watch::start(platform, &["user-service", "--rate", "20000", "--writers", "64"]);
    wait_for("scaled up under load", Duration::from_secs(180), || wanted() > 3);
    watch.end();
}
