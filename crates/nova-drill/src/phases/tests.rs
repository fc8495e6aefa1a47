//! On lines that real stores wrote during drills.

use super::{Phases, of_logs};
use crate::recovery_times::Gap;
use crate::store::Store;

fn log(lines: &str) -> Vec<String> {
    lines.lines().map(str::to_owned).collect()
}

/// 2026-11-24 17:00:00 UTC
const HOUR: u64 = 1_795_539_600_000;

fn at(minute: u64, second_ms: u64) -> u64 {
    HOUR + minute * 60_000 + second_ms
}

fn phases(detection: u64, election: u64, promotion: u64, rerouting: u64) -> Option<Phases> {
    Some(Phases {
        detection_ms: Some(detection),
        election_ms: Some(election),
        promotion_ms: Some(promotion),
        rerouting_ms: Some(rerouting),
    })
}

/// Of a gap from the fault to this acknowledgement.
fn told(store: Store, logs: &[Vec<String>], from: u64, to: u64) -> Option<Phases> {
    of_logs(store, logs, from, Gap { from, to }, |_| Some(to))
}

/// kill -9 of postgres-2, which led, with its Patroni.
const OLD_LEADER: &str = "\
2026-11-24 17:45:20,977 INFO: Using default value thread_stack_size = 524288
2026-11-24 17:45:21,079 WARNING: I am the leader but not owner of the lease
2026-11-24 17:45:21,194 INFO: Got response from postgres-1 http://127.81.0.1:8008/patroni: {\"state\": \"running\", \"role\": \"replica\"}
2026-11-24 17:45:21,195 INFO: Demoting self because primary startup is taking too long
2026-11-24 17:45:21,766 INFO: Leader key released
2026-11-24 17:45:30.676 UTC [16690] LOG:  database system is ready to accept read-only connections
";
const NEW_LEADER: &str = "\
2026-11-24 17:44:53.961 UTC [15901] LOG:  database system is ready to accept read-only connections
2026-11-24 17:45:20.506 UTC [15931] LOG:  waiting for WAL to become available at 0/50AD6F8
2026-11-24 17:45:21,748 INFO: Got quorum vote from postgres-3
2026-11-24 17:45:21,894 INFO: promoted self to leader by acquiring session lock
2026-11-24 17:45:21.900 UTC [15931] LOG:  received promote request
2026-11-24 17:45:21.911 UTC [15931] LOG:  selected new timeline ID: 2
2026-11-24 17:45:21.959 UTC [15901] LOG:  database system is ready to accept connections
2026-11-24 17:45:21,896 INFO: Lock owner: postgres-1; I am postgres-1
";

#[test]
fn a_failover_of_postgres_is_told_by_patroni_and_the_new_leader() {
    let logs = [log(OLD_LEADER), log(NEW_LEADER)];
    let found = told(Store::Postgres, &logs, at(45, 20_476), at(45, 22_587));
    assert_eq!(found, phases(718, 700, 65, 628));
}

#[test]
fn a_later_gap_is_no_part_of_a_failover() {
    let logs = [log(OLD_LEADER), log(NEW_LEADER)];
    let later = Gap {
        from: at(45, 30_000),
        to: at(45, 40_000),
    };
    let found = of_logs(Store::Postgres, &logs, at(45, 20_476), later, |served| {
        Some(served + 628)
    });
    assert_eq!(found, phases(718, 700, 65, 628));
}

#[test]
fn what_was_written_before_the_fault_or_after_the_recovery_is_not_its_doing() {
    let logs = [log(OLD_LEADER), log(NEW_LEADER)];
    assert_eq!(told(Store::Postgres, &logs, at(46, 0), at(46, 5000)), None);
    assert_eq!(told(Store::Postgres, &logs, at(44, 0), at(45, 0)), None);
}

/// redis-1 led, and was frozen.
const SENTINEL: &str = "\
15254:X 24 Nov 2026 17:45:46.915 # +sdown master nova 127.81.0.1 6379
15254:X 24 Nov 2026 17:45:46.974 # +odown master nova 127.81.0.1 6379 #quorum 2/2
15254:X 24 Nov 2026 17:45:46.974 # +try-failover master nova 127.81.0.1 6379
15254:X 24 Nov 2026 17:45:47.039 # +elected-leader master nova 127.81.0.1 6379
15254:X 24 Nov 2026 17:45:47.129 # +selected-slave slave 127.81.0.2:6379 127.81.0.2 6379 @ nova 127.81.0.1 6379
15254:X 24 Nov 2026 17:45:48.055 # +promoted-slave slave 127.81.0.2:6379 127.81.0.2 6379 @ nova 127.81.0.1 6379
15254:X 24 Nov 2026 17:45:49.218 # +switch-master nova 127.81.0.1 6379 127.81.0.2 6379
";
const OTHER_SENTINEL: &str = "\
15266:X 24 Nov 2026 17:45:46.752 # +sdown master nova 127.81.0.1 6379
15266:X 24 Nov 2026 17:45:47.830 # +odown master nova 127.81.0.1 6379 #quorum 3/2
15266:X 24 Nov 2026 17:45:48.132 # +switch-master nova 127.81.0.1 6379 127.81.0.2 6379
";
const NEW_MASTER: &str = "15251:M 24 Nov 2026 17:45:47.196 * MASTER MODE enabled (user request from 'id=16 addr=127.0.0.1:53744 name=sentinel-7c8e620b-cmd')\n";

#[test]
fn a_failover_of_redis_is_told_by_the_sentinels_and_the_new_master() {
    let logs = [log(SENTINEL), log(OTHER_SENTINEL), log(NEW_MASTER)];
    let found = told(Store::Redis, &logs, at(45, 45_104), at(45, 48_698));
    assert_eq!(found, phases(1870, 155, 67, 1502));
    // Without the server's own log, what the Sentinel saw of it.
    let found = told(Store::Redis, &logs[..2], at(45, 45_104), at(45, 48_698));
    assert_eq!(found, phases(1870, 155, 926, 643));
}

#[test]
fn a_master_that_is_back_before_anybody_replaced_it_has_no_phases() {
    let doubts = "\
15254:X 24 Nov 2026 17:46:04.684 # +sdown master nova 127.81.0.2 6379
15254:X 24 Nov 2026 17:46:04.785 # -sdown master nova 127.81.0.2 6379
";
    assert_eq!(told(Store::Redis, &[log(doubts)], at(46, 3590), at(46, 5000)), None);
}

/// kafka-1, the active controller, killed; it is back at 17:49:44 and repeats what was recorded.
const RESTARTED: &str = "\
2026-11-24T17:49:44,805 INFO ClusterControlManager [QuorumController id=1] Replayed BrokerRegistrationChangeRecord modifying the registration for broker 2: BrokerRegistrationChangeRecord(brokerId=2, brokerEpoch=20, fenced=1, inControlledShutdown=0, logDirs=[], cordonedLogDirs=null)
";
const CONTROLLER: &str = "\
2026-11-24T17:49:46,794 INFO ReplicationControlManager [QuorumController id=3] Fencing broker 1 at epoch 113 because its session has timed out.
2026-11-24T17:49:46,801 INFO ClusterControlManager [QuorumController id=3] Replayed BrokerRegistrationChangeRecord modifying the registration for broker 1: BrokerRegistrationChangeRecord(brokerId=1, brokerEpoch=113, fenced=1, inControlledShutdown=0, logDirs=[], cordonedLogDirs=null)
";
const BROKER: &str = "\
2026-11-24T17:49:46,841 INFO logger [Broker id=2] Leader nova.drill.1-1 with topic id Some(aTRiuCgMR0OfprW6ItzMEA) starts at leader epoch 1 from offset 521 with partition epoch 1, high watermark 518, ISR [2,3], adding replicas [] and removing replicas [] . Previous leader Some(1) and previous leader epoch was 0.
2026-11-24T17:49:46,924 INFO logger [Broker id=2] Leader __consumer_offsets-4 with topic id Some(bdyCt3lkS5293A9p_isXfw) starts at leader epoch 3 from offset 0 with partition epoch 9, high watermark 0, ISR [2,3], adding replicas [] and removing replicas [] . Previous leader Some(1) and previous leader epoch was 2.
2026-11-24T17:49:46,983 INFO logger [Broker id=2] Follower nova.check-2 starts at leader epoch 2 from offset 43 with partition epoch 7 and high watermark 43. Current leader is 3. Previous leader Some(1) and previous leader epoch was 1.
";

#[test]
fn a_failover_of_kafka_is_told_by_the_controller_and_the_brokers() {
    let logs = [log(RESTARTED), log(BROKER), log(CONTROLLER)];
    let found = told(Store::Kafka, &logs, at(49, 42_305), at(49, 47_167));
    assert_eq!(found, phases(4489, 7, 123, 243));
}

/// What is known to be dead is fenced by its last heartbeat, and its session ends later on.
#[test]
fn a_broker_that_is_proven_dead_is_told_by_its_last_heartbeat() {
    let heartbeat = CONTROLLER.replace(
        "ReplicationControlManager [QuorumController id=3] Fencing broker 1 at epoch 113 because its session has timed out.",
        "BrokerHeartbeatManager [QuorumController id=3] Unfenced broker 1 has requested and been granted fencing",
    );
    let later = CONTROLLER.replace("17:49:46", "17:49:48");
    let logs = [log(&heartbeat), log(&later), log(BROKER)];
    let found = told(Store::Kafka, &logs, at(49, 42_305), at(49, 47_167));
    assert_eq!(found, phases(4489, 7, 123, 243));
}

#[test]
fn warnings_of_kafka_alone_tell_nothing() {
    let warning =
        "2026-11-24T17:46:10,482 WARN QuorumController [QuorumController id=3] Performing controller activation.";
    assert_eq!(told(Store::Kafka, &[log(warning)], at(46, 0), at(46, 20_000)), None);
}

#[test]
fn clients_of_a_service_are_only_sent_elsewhere() {
    let found = told(Store::Requests, &[], at(46, 0), at(46, 60));
    let rerouted = Phases {
        rerouting_ms: Some(60),
        ..Phases::default()
    };
    assert_eq!(found, Some(rerouted));
}
