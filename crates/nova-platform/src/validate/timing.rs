//! Durations that only make sense together.

use std::time::Duration as StdDuration;

use crate::key::Key;
use crate::spec::Spec;
use crate::units::Duration;

use super::Findings;

/// Heartbeats that an election timeout must leave room for.
const HEARTBEATS: u32 = 5;

pub(super) fn check(spec: &Spec, findings: &mut Findings) {
    let local = &spec.local;
    if local.restart_backoff > local.restart_backoff_max {
        findings.problem(
            [Key::new("local.restart_backoff"), Key::new("local.restart_backoff_max")],
            format!(
                "local.restart_backoff is {}: longer than the longest pause, {}",
                local.restart_backoff, local.restart_backoff_max
            ),
        );
    }
    let etcd = &spec.etcd;
    let least = times(etcd.heartbeat_interval, HEARTBEATS);
    if etcd.election_timeout < least {
        findings.problem(
            [Key::new("etcd.election_timeout"), Key::new("etcd.heartbeat_interval")],
            format!(
                "etcd.election_timeout is {}: with a heartbeat every {} it must be {least} at least, or a late heartbeat \
                 costs the leader its place",
                etcd.election_timeout, etcd.heartbeat_interval
            ),
        );
    }
    patroni(spec, findings);
    let kafka = &spec.kafka;
    if kafka.heartbeat_interval >= kafka.session_timeout {
        findings.problem(
            [Key::new("kafka.heartbeat_interval"), Key::new("kafka.session_timeout")],
            format!(
                "kafka.heartbeat_interval is {}: a broker that is silent for {} loses its leaderships, so every one would",
                kafka.heartbeat_interval, kafka.session_timeout
            ),
        );
    }
}

fn patroni(spec: &Spec, findings: &mut Findings) {
    let postgres = &spec.postgres;
    let needed = Duration(postgres.loop_wait.0.saturating_add(times(postgres.retry_timeout, 2).0));
    if needed > postgres.ttl {
        let keys = ["ttl", "loop_wait", "retry_timeout"].map(|name| Key::new("postgres").child(name));
        findings.problem(
            keys,
            format!(
                "postgres.ttl is {}: loop_wait + 2 x retry_timeout is {needed}, so a slow etcd would cost a healthy leader its key",
                postgres.ttl
            ),
        );
    }
}

fn times(duration: Duration, factor: u32) -> Duration {
    Duration(duration.0.checked_mul(factor).unwrap_or(StdDuration::MAX))
}
