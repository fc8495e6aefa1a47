//! Settings that an expert may weaken, each with the failure that it invites.

use crate::key::Key;
use crate::spec::{KafkaSpec, PostgresSpec, RedisSpec, Spec, SynchronousMode};

use super::Findings;

pub(super) fn check(spec: &Spec, findings: &mut Findings) {
    if spec.etcd.members == 1 {
        findings.warning(
            "etcd.members",
            "when this one member is lost, PostgreSQL has no failover and cannot be started",
        );
    }
    postgres(&spec.postgres, findings);
    redis(&spec.redis, findings);
    kafka(&spec.kafka, findings);
    for (name, service) in &spec.services {
        if service.members == 1 {
            let key = Key::service(name).child("members");
            findings.warning(key, "with one member, every restart of it is an outage of the service");
        }
    }
}

fn postgres(spec: &PostgresSpec, findings: &mut Findings) {
    let synchronous = spec.synchronous_mode != SynchronousMode::Off;
    if spec.members == 1 {
        findings.warning(
            "postgres.members",
            "with one server there is no failover, and its disk holds the only copy",
        );
    }
    if !synchronous && spec.members != 1 {
        findings.warning(
            "postgres.synchronous_mode",
            "off: a failover loses commits that were acknowledged",
        );
    }
    if synchronous && spec.members == 2 {
        findings.warning(
            "postgres.members",
            "with synchronous commits and fewer than 3 servers, losing one leaves no standby to confirm: commits then go on \
             unconfirmed, and losing the other as well loses acknowledged ones",
        );
    }
    if !spec.failsafe_mode {
        findings.warning(
            "postgres.failsafe_mode",
            "off: an outage of etcd alone makes a healthy leader step down, and writes stop",
        );
    }
    if !spec.primary_start_timeout.0.is_zero() {
        findings.warning(
            "postgres.primary_start_timeout",
            format!(
                "a crashed leader may try to start again for {} before a standby takes over, and writes stop meanwhile",
                spec.primary_start_timeout
            ),
        );
    }
}

fn redis(spec: &RedisSpec, findings: &mut Findings) {
    if spec.members == 1 {
        findings.warning(
            "redis.members",
            "with one server there is no failover: caches, rate limits and presence stop when it does",
        );
    }
    if spec.sentinels == 1 {
        findings.warning(
            "redis.sentinels",
            "when this one Sentinel is lost, a lost master is not replaced",
        );
    }
    if spec.quorum > 0 && spec.quorum < spec.sentinels / 2 + 1 {
        findings.warning(
            "redis.quorum",
            format!("{} of {} Sentinels is no majority: one that is cut off finds a healthy master down and starts needless failovers", spec.quorum, spec.sentinels),
        );
    }
    if !spec.appendonly {
        findings.warning(
            "redis.appendonly",
            "off: a master that restarts comes back empty, and its replicas copy the emptiness",
        );
    }
    if spec.min_replicas_to_write == 0 && spec.members > 1 {
        findings.warning(
            "redis.min_replicas_to_write",
            "0: an isolated master goes on accepting writes, all of which are lost when it returns",
        );
    }
    if spec.members > 1 && spec.min_replicas_to_write + 1 == spec.members {
        findings.warning(
            "redis.min_replicas_to_write",
            "every replica is needed, so losing any one of them stops all writes",
        );
    }
}

fn kafka(spec: &KafkaSpec, findings: &mut Findings) {
    let (copies, insync) = (spec.replication_factor, spec.min_insync_replicas);
    if spec.members == 1 {
        findings.warning(
            "kafka.members",
            "with one broker there is no failover, and its disk holds the only copy",
        );
    } else if copies == 1 {
        findings.warning(
            "kafka.replication_factor",
            "1: losing a broker loses its records, acknowledged or not",
        );
    }
    if insync == 1 && copies > 1 {
        findings.warning(
            "kafka.min_insync_replicas",
            "1: an acknowledged record may exist on one broker only, and be lost with it",
        );
    }
    if insync == copies && copies > 1 {
        findings.warning(
            "kafka.min_insync_replicas",
            "every copy is needed, so losing any one broker stops all writes",
        );
    }
    if spec.unclean_leader_election {
        findings.warning(
            "kafka.unclean_leader_election",
            "true: a stale replica may lead and drop records that were acknowledged",
        );
    }
}
