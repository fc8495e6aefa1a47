//! How many members: quorums, copies, and room on the nodes.

use crate::key::Key;
use crate::spec::{Spec, SynchronousMode};
use crate::topology::NODES;

use super::Findings;

pub(super) fn check(spec: &Spec, findings: &mut Findings) {
    count("etcd.members", spec.etcd.members, findings);
    count("postgres.members", spec.postgres.members, findings);
    count("redis.members", spec.redis.members, findings);
    count("redis.sentinels", spec.redis.sentinels, findings);
    count("kafka.members", spec.kafka.members, findings);
    for (name, service) in &spec.services {
        count_of(Key::service(name).child("members"), service.members, findings);
    }
    odd("etcd.members", spec.etcd.members, findings);
    odd("redis.sentinels", spec.redis.sentinels, findings);
    odd("kafka.members", spec.kafka.members, findings);
    postgres(spec, findings);
    redis(spec, findings);
    kafka(spec, findings);
}

fn count(key: &str, members: u16, findings: &mut Findings) {
    count_of(Key::new(key), members, findings);
}

fn count_of(key: Key, members: u16, findings: &mut Findings) {
    if members == 0 {
        let message = format!("{key} is 0: what a platform consists of cannot be switched off, and 1 is the least");
        findings.problem([key], message);
    } else if members > NODES {
        let message = format!(
            "{key} is {members}: there are {NODES} nodes, so two would share one node's address and port, and be lost together"
        );
        findings.problem([key], message);
    }
}

fn odd(key: &str, voters: u16, findings: &mut Findings) {
    if voters != 0 && voters.is_multiple_of(2) {
        findings.problem(
            [Key::new(key)],
            format!(
                "{key} is {voters}, an even number of voters: it survives no more failures than {}, and needs one more vote",
                voters - 1
            ),
        );
    }
}

fn postgres(spec: &Spec, findings: &mut Findings) {
    let postgres = &spec.postgres;
    let (count, members) = (postgres.synchronous_node_count, postgres.members);
    if postgres.synchronous_mode == SynchronousMode::Off || members == 0 {
        return;
    }
    let (count_key, members_key) = (
        Key::new("postgres.synchronous_node_count"),
        Key::new("postgres.members"),
    );
    if count == 0 {
        let help = "to wait for none, write synchronous_mode = \"off\"";
        findings.problem_with_help(
            [count_key],
            "postgres.synchronous_node_count is 0: no standby would be waited for",
            help,
        );
    } else if count >= members {
        findings.problem_with_help(
            [count_key, members_key],
            format!(
                "postgres.synchronous_node_count is {count}: of {members} members one leads, so only {} can confirm",
                members - 1
            ),
            if members == 1 {
                "with one member, synchronous_mode must be \"off\""
            } else {
                "lower it, or add members"
            },
        );
    }
}

fn redis(spec: &Spec, findings: &mut Findings) {
    let redis = &spec.redis;
    let (quorum_key, sentinels_key) = (Key::new("redis.quorum"), Key::new("redis.sentinels"));
    if redis.quorum == 0 {
        findings.problem(
            [quorum_key],
            "redis.quorum is 0: at least one Sentinel must find the master down",
        );
    } else if redis.quorum > redis.sentinels && redis.sentinels > 0 {
        findings.problem(
            [quorum_key, sentinels_key],
            format!(
                "redis.quorum is {}: there are {} Sentinels, so no failover could ever be agreed on",
                redis.quorum, redis.sentinels
            ),
        );
    }
    let (wanted, members) = (redis.min_replicas_to_write, redis.members);
    if members > 0 && wanted >= members {
        findings.problem_with_help(
            [Key::new("redis.min_replicas_to_write"), Key::new("redis.members")],
            format!("redis.min_replicas_to_write is {wanted}: {members} members have {} replicas, so no write would ever be accepted", members - 1),
            "lower it, or add members",
        );
    }
}

fn kafka(spec: &Spec, findings: &mut Findings) {
    let kafka = &spec.kafka;
    let (copies, insync, members) = (kafka.replication_factor, kafka.min_insync_replicas, kafka.members);
    let (copies_key, insync_key) = (
        Key::new("kafka.replication_factor"),
        Key::new("kafka.min_insync_replicas"),
    );
    if copies == 0 {
        findings.problem(
            [copies_key],
            "kafka.replication_factor is 0: a partition has at least one copy",
        );
        return;
    }
    if members > 0 && copies > members {
        findings.problem(
            [copies_key.clone(), Key::new("kafka.members")],
            format!(
                "kafka.replication_factor is {copies}: {members} brokers cannot hold {copies} copies of a partition"
            ),
        );
    }
    if insync == 0 {
        findings.problem(
            [insync_key],
            "kafka.min_insync_replicas is 0: an acknowledged record must be on one broker at least",
        );
    } else if insync > copies {
        findings.problem(
            [insync_key, copies_key],
            format!("kafka.min_insync_replicas is {insync}: there are {copies} copies, so no record would ever be acknowledged"),
        );
    }
}
