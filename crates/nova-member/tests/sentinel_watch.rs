//! A container whose Sentinel spins: its first process starts it anew, and ends with it when it ends by itself. A process namespace
//! stands for the container, a script for the Sentinel.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/container.rs"]
mod container;

use std::fs;

use serde_json::json;

use crate::container::container;

#[test]
fn a_sentinel_that_spins_is_started_anew() {
    let home = container::home();
    let path = |name: &str| home.path().join(name);
    for name in ["redis", "redis-sentinel"] {
        fs::write(path("secrets").join(name), "secret").unwrap();
    }
    // By its name it is known. The second one ends by itself.
    let server = path("redis-server");
    let once = path("once").display().to_string();
    let spins = format!("[ -e '{once}' ] && exit 5\ntouch '{once}'\nwhile :; do :; done");
    container::program(&server, &spins);
    // Nobody listens at these.
    let at = |member: &str, port: u16| json!({ "member": member, "host": "127.0.0.1", "port": port });
    let start = json!({
        "server": server,
        "own": at("sentinel-1", 1),
        "bind": "127.0.0.1",
        "servers": [at("redis-1", 2)],
        "sentinels": [at("sentinel-1", 1), at("sentinel-2", 3), at("sentinel-3", 4)],
        "quorum": 2,
    });
    fs::write(path("config/start.json"), start.to_string()).unwrap();
    fs::write(path("config/base.conf"), "").unwrap();

    let output = container(home.path(), "sentinel", "sentinel-1").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("the Sentinel is started anew: it takes "), "{said}");
    assert_eq!(said.matches("sentinel-1 starts").count(), 2, "{said}");
    assert_eq!(output.status.code(), Some(5), "{said}");
}
