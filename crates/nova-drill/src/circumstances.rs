//! Under which circumstances a drill ran: what its numbers hold for.

use std::collections::BTreeMap;
use std::fs;

use nova_platform::spec::Spec;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::now_ms;

/// Settings of nova.toml that decide how long a failover takes and what it may lose.
const DECISIVE: [&str; 21] = [
    "local.restart_backoff",
    "etcd.election_timeout",
    "postgres.members",
    "postgres.synchronous_mode",
    "postgres.synchronous_node_count",
    "postgres.failsafe_mode",
    "postgres.ttl",
    "postgres.loop_wait",
    "postgres.retry_timeout",
    "postgres.primary_start_timeout",
    "redis.members",
    "redis.quorum",
    "redis.down_after",
    "redis.failover_timeout",
    "redis.min_replicas_to_write",
    "kafka.members",
    "kafka.replication_factor",
    "kafka.min_insync_replicas",
    "kafka.session_timeout",
    "kafka.heartbeat_interval",
    "gateway.check_interval",
];

/// What a drill's numbers hold for.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Circumstances {
    /// Unix time in milliseconds at which it began.
    pub begun: u64,
    /// Version of `nova`.
    pub version: String,
    /// As it was called.
    pub command: Vec<String>,
    /// The machine that the command ran on: the platform's own on the local target.
    pub machine: Machine,
    /// Settings that decide how long a failover takes and what it may lose, by their keys in nova.toml.
    pub settings: BTreeMap<String, String>,
}

/// A machine, as far as it says.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Machine {
    /// Processors.
    pub cores: usize,
    /// Memory in bytes.
    pub memory_bytes: Option<u64>,
    /// Operating system and release of its kernel.
    pub kernel: Option<String>,
    /// Load average of the last minute before the drill.
    pub load: Option<String>,
}

impl Circumstances {
    /// Here and now, for the platform of this description.
    #[must_use]
    pub fn now(spec: &Spec, command: Vec<String>) -> Self {
        Self {
            begun: now_ms(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            command,
            machine: Machine::this(),
            settings: decisive(spec),
        }
    }
}

impl Machine {
    /// The one that this runs on.
    #[must_use]
    pub fn this() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let word = |path: &str| read(path).split_whitespace().next().map(str::to_owned);
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: total_memory(&read("/proc/meminfo")),
            kernel: word("/proc/sys/kernel/osrelease").map(|release| format!("Linux {release}")),
            load: word("/proc/loadavg"),
        }
    }
}

fn total_memory(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    kilobytes.checked_mul(1024)
}

fn decisive(spec: &Spec) -> BTreeMap<String, String> {
    let spec = serde_json::to_value(spec).unwrap_or_default();
    let value = |key: &str| {
        let found = key.split('.').try_fold(&spec, |table, name| table.get(name))?;
        Some(match found {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
    };
    let all = DECISIVE.iter().filter_map(|key| Some(((*key).to_owned(), value(key)?)));
    all.collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]
mod tests {
    use nova_platform::load;

    use super::{Circumstances, DECISIVE, total_memory};

    #[test]
    fn every_decisive_setting_is_one_of_nova_toml_and_is_told_as_it_is_typed() {
        let spec = load::parse("[postgres]\nttl = \"25s\"\n", "x").unwrap().spec;
        let told = Circumstances::now(&spec, Vec::new()).settings;
        assert_eq!(told.len(), DECISIVE.len(), "{told:?}");
        assert_eq!(told["postgres.ttl"], "25s");
        assert_eq!(told["postgres.synchronous_mode"], "quorum");
        assert_eq!(told["kafka.min_insync_replicas"], "2");
    }

    #[test]
    fn a_machine_that_does_not_tell_its_memory_has_none() {
        assert_eq!(total_memory("MemTotal:        2048 kB\nMemFree: 1 kB\n"), Some(2 << 20));
        assert_eq!(total_memory(""), None);
    }
}
