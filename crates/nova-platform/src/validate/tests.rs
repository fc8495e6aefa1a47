//! Each rule seen to fire, with the settings that it points at.

#![allow(clippy::unwrap_used, reason = "a test that fails there has found what it looks for")]

use proptest::prelude::*;

use super::{Findings, validate};
use crate::components::ComponentId;
use crate::load::{load, parse};
use crate::spec::{ServiceSpec, Spec, SynchronousMode};
use crate::units::{Duration, Size};

fn findings(change: impl FnOnce(&mut Spec)) -> Findings {
    let mut spec = load(None).unwrap().spec;
    change(&mut spec);
    validate(&spec)
}

/// The one problem as "keys: message".
fn problem(change: impl FnOnce(&mut Spec)) -> String {
    let problems = problems(change);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems.into_iter().next().unwrap()
}

fn problems(change: impl FnOnce(&mut Spec)) -> Vec<String> {
    let told = |problem: &super::Problem| {
        let keys: Vec<String> = problem.keys.iter().map(ToString::to_string).collect();
        format!("{}: {}", keys.join(" "), problem.message)
    };
    findings(change).problems.iter().map(told).collect()
}

/// The keys that are warned about; nothing may be refused.
fn warnings(change: impl FnOnce(&mut Spec)) -> Vec<String> {
    let findings = findings(change);
    assert_eq!(findings.problems, []);
    findings.warnings.into_iter().map(|warning| warning.key).collect()
}

fn auth(spec: &mut Spec) -> &mut ServiceSpec {
    spec.services.get_mut("auth-service").unwrap()
}

fn add(spec: &mut Spec, name: &str) {
    let mut service = auth(spec).clone();
    (service.schema, service.port) = (Some("other".to_owned()), 8090);
    spec.services.insert(name.to_owned(), service);
}

fn ms(milliseconds: u64) -> Duration {
    Duration(std::time::Duration::from_millis(milliseconds))
}

fn assert_starts(text: &str, start: &str) {
    assert!(text.starts_with(start), "{text:?} does not start with {start:?}");
}

#[test]
fn two_listeners_on_one_port_are_told_once_with_both_keys() {
    assert_eq!(
        problem(|spec| spec.etcd.peer_port = 2379),
        "etcd.peer_port etcd.client_port: port 2379 of node-1 is wanted twice, by etcd-1 (clients) and by etcd-1 (peers)"
    );
    assert_starts(
        &problem(|spec| spec.redis.port = 5432),
        "redis.port postgres.port: port 5432 of node-1",
    );
    assert_starts(
        &problem(|spec| spec.postgres.patroni_port = 9093),
        "kafka.controller_port postgres.patroni_port: ",
    );
    assert_starts(
        &problem(|spec| spec.redis.sentinel_port = 6379),
        "redis.sentinel_port redis.port: ",
    );
    // 1000 above the API, on the nodes.
    assert_starts(
        &problem(|spec| auth(spec).port = 25_379),
        "services.auth-service.port redis.sentinel_port: port 26379 of node-1 is wanted twice, by sentinel-1 and by \
         auth-service-1 (operations, 1000 above its port)",
    );
    assert_starts(
        &problem(|spec| spec.redis.sentinel_port = 65_000),
        "redis.sentinel_port: redis.sentinel_port is 65000: operations listen on the port above by 1000",
    );
    assert_starts(
        &problem(|spec| spec.gateway.primary_port = 15_433),
        "gateway.replicas_port gateway.primary_port: port 15433 of the gateway",
    );
    assert_starts(
        &problem(|spec| spec.gateway.primary_port = 8084),
        "services.auth-service.port gateway.primary_port: ",
    );
    assert!(problem(|spec| auth(spec).port = 8404).contains("port 8404 of the gateway"));
    // On the nodes and on the gateway, and yet one pair of settings.
    assert_starts(
        &problem(|spec| auth(spec).port = 8080),
        "services.user-service.port services.auth-service.port: ",
    );
}

#[test]
fn one_port_on_different_addresses_is_no_conflict() {
    assert_eq!(problems(|spec| spec.gateway.primary_port = 5432), [""; 0]);
    // The service has no member on the third node.
    assert_eq!(problems(|spec| spec.gateway.replicas_port = 9084), [""; 0]);
}

#[test]
fn ports_must_be_free_for_unprivileged_members() {
    for port in [0, 80, 1023] {
        assert_starts(&problem(|spec| spec.kafka.port = port), "kafka.port: kafka.port is ");
    }
    assert_eq!(problems(|spec| spec.kafka.port = 1024), [""; 0]);
    assert_starts(
        &problem(|spec| auth(spec).port = 64_536),
        "services.auth-service.port: ",
    );
    assert_eq!(problems(|spec| auth(spec).port = 64_535), [""; 0]);
}

#[test]
fn voters_are_odd_and_members_fit_the_nodes() {
    assert_starts(
        &problem(|spec| spec.etcd.members = 2),
        "etcd.members: etcd.members is 2, an even number of voters",
    );
    assert_starts(
        &problem(|spec| spec.redis.sentinels = 2),
        "redis.sentinels: redis.sentinels is 2, an even number",
    );
    assert!(
        problems(|spec| spec.kafka.members = 2)[0].starts_with("kafka.members: kafka.members is 2, an even number")
    );
    for change in [
        (|spec, members| spec.etcd.members = members) as fn(&mut Spec, u16),
        |spec, members| spec.postgres.members = members,
        |spec, members| spec.redis.members = members,
        |spec, members| spec.redis.sentinels = members,
        |spec, members| spec.kafka.members = members,
        |spec, members| auth(spec).members = members,
    ] {
        assert!(problem(|spec| change(spec, 0)).contains("cannot be switched off"));
        let many = problems(|spec| change(spec, 5));
        assert!(many[0].contains("there are 3 nodes"), "{many:?}");
        // An absurd number must not cost time or memory.
        assert!(!problems(|spec| change(spec, u16::MAX)).is_empty());
    }
}

#[test]
fn quorums_and_copies_must_be_reachable() {
    assert_starts(
        &problem(|spec| spec.redis.quorum = 4),
        "redis.quorum redis.sentinels: redis.quorum is 4: there are 3 Sentinels",
    );
    assert_starts(&problem(|spec| spec.redis.quorum = 0), "redis.quorum: ");
    assert_starts(
        &problem(|spec| spec.redis.min_replicas_to_write = 3),
        "redis.min_replicas_to_write redis.members: ",
    );
    assert_starts(
        &problem(|spec| spec.kafka.min_insync_replicas = 4),
        "kafka.min_insync_replicas kafka.replication_factor: ",
    );
    assert_starts(
        &problem(|spec| spec.kafka.min_insync_replicas = 0),
        "kafka.min_insync_replicas: ",
    );
    assert_starts(
        &problem(|spec| spec.kafka.replication_factor = 4),
        "kafka.replication_factor kafka.members: ",
    );
    assert_starts(
        &problem(|spec| spec.kafka.replication_factor = 0),
        "kafka.replication_factor: ",
    );
    assert_starts(
        &problem(|spec| spec.postgres.synchronous_node_count = 3),
        "postgres.synchronous_node_count postgres.members: ",
    );
    assert_starts(
        &problem(|spec| spec.postgres.synchronous_node_count = 0),
        "postgres.synchronous_node_count: ",
    );
    let alone = findings(|spec| spec.postgres.members = 1);
    assert_eq!(
        alone.problems[0].help.as_deref(),
        Some("with one member, synchronous_mode must be \"off\"")
    );
}

#[test]
fn durations_must_fit_together() {
    assert_starts(
        &problem(|spec| spec.postgres.retry_timeout = ms(10_000)),
        "postgres.ttl postgres.loop_wait postgres.retry_timeout: postgres.ttl is 20s: loop_wait + 2 x retry_timeout is 22s",
    );
    assert_eq!(problems(|spec| spec.postgres.retry_timeout = ms(9000)), [""; 0]);
    assert_starts(
        &problem(|spec| spec.etcd.election_timeout = ms(499)),
        "etcd.election_timeout etcd.heartbeat_interval: ",
    );
    assert_eq!(problems(|spec| spec.etcd.election_timeout = ms(500)), [""; 0]);
    assert_starts(
        &problem(|spec| spec.kafka.heartbeat_interval = ms(3000)),
        "kafka.heartbeat_interval kafka.session_timeout: ",
    );
    assert_starts(
        &problem(|spec| spec.local.restart_backoff = ms(11_000)),
        "local.restart_backoff local.restart_backoff_max: ",
    );
}

#[test]
fn values_have_sane_bounds() {
    assert_eq!(
        problem(|spec| spec.postgres.ttl = ms(19_000)),
        "postgres.ttl: postgres.ttl is 19s: it must be from 20s to 10m"
    );
    assert_starts(
        &problem(|spec| spec.postgres.ttl = ms(20_500)),
        "postgres.ttl: postgres.ttl is 20s 500ms: it must be whole seconds",
    );
    assert_starts(&problem(|spec| spec.postgres.loop_wait = ms(0)), "postgres.loop_wait: ");
    assert_starts(
        &problem(|spec| spec.postgres.shared_buffers = Size((64 << 20) + 1)),
        "postgres.shared_buffers: ",
    );
    assert_starts(
        &problem(|spec| spec.postgres.max_wal_size = Size(0)),
        "postgres.max_wal_size: ",
    );
    assert_starts(
        &problem(|spec| spec.postgres.max_connections = 100_000),
        "postgres.max_connections: ",
    );
    assert_starts(&problem(|spec| spec.redis.down_after = ms(0)), "redis.down_after: ");
    assert_starts(
        &problem(|spec| spec.redis.maxmemory = Size(u64::MAX)),
        "redis.maxmemory: ",
    );
    assert_starts(
        &problem(|spec| spec.redis.min_replicas_max_lag = ms(500)),
        "redis.min_replicas_max_lag: ",
    );
    assert_starts(&problem(|spec| spec.kafka.heap = Size(1 << 20)), "kafka.heap: ");
    assert_starts(
        &problem(|spec| spec.local.log_max_size = Size(1)),
        "local.log_max_size: ",
    );
    assert_starts(
        &problem(|spec| spec.gateway.check_interval = ms(1)),
        "gateway.check_interval: ",
    );
    for wrong in [
        "*",
        "nova.example",
        "https://nova.example/",
        "https://Nova.example",
        "https://nova.example:443",
        "http://",
        "ftp://nova.example",
    ] {
        assert_starts(
            &problem(|spec| spec.gateway.origins = vec![wrong.to_owned()]),
            "gateway.origins: ",
        );
    }
    assert_starts(
        &problem(|spec| auth(spec).database_pool = 0),
        "services.auth-service.database_pool: ",
    );
    assert_starts(
        &problem(|spec| auth(spec).redis_pool = 0),
        "services.auth-service.redis_pool: ",
    );
    assert_starts(
        &problem(|spec| spec.etcd.quota_backend_size = Size(1 << 40)),
        "etcd.quota_backend_size: ",
    );
}

#[test]
fn names_and_addresses_are_spelt_as_what_they_become() {
    for name in ["", "Nova", "1nova", "nova_x", "no va", "../x", "näme", &"n".repeat(32)] {
        assert_starts(&problem(|spec| spec.platform.name = name.to_owned()), "platform.name: ");
    }
    assert_eq!(problems(|spec| spec.platform.name = "n".repeat(31)), [""; 0]);
    for network in [
        "127.0",
        "127.0.0.0",
        "10.0.0",
        "127.77.256",
        "127.077.0",
        "",
        "127.77.x",
        "127.77.0.",
    ] {
        assert_starts(
            &problem(|spec| spec.local.network = network.to_owned()),
            "local.network: ",
        );
    }
    assert!(problem(|spec| spec.local.network = "127.0.0".to_owned()).contains("is the address of node-1 as well"));
    for address in ["0.0.0.0", "192.168.0.1", "localhost", "::1", ""] {
        assert_starts(
            &problem(|spec| spec.local.gateway_address = address.to_owned()),
            "local.gateway_address: ",
        );
    }
    assert!(problem(|spec| spec.local.gateway_address = "127.77.0.3".to_owned()).contains("node-3"));
    assert!(problem(|spec| spec.local.user = "root".to_owned()).contains("PostgreSQL refuses"));
    assert_starts(&problem(|spec| spec.local.user = "no:va".to_owned()), "local.user: ");
}

#[test]
fn services_have_names_of_their_own() {
    for name in [
        "redis",
        "sentinel",
        "agent",
        "tls",
        "gateway",
        "node",
        "node-1",
        "all",
        "superuser",
        "chat-owner",
        "chat-members",
    ] {
        let told = problem(|spec| {
            // Replacing a shipped service by the wrong name keeps its ports free.
            let mut service = spec.services.remove("auth-service").unwrap();
            (service.uses, service.database, service.schema) = (Vec::new(), None, None);
            spec.services.insert(name.to_owned(), service);
            let users = spec.services.get_mut("user-service").unwrap();
            users.uses.retain(|used| *used == ComponentId::Postgres);
        });
        assert!(told.ends_with("nova uses that name itself"), "{told}");
    }
    assert!(problem(|spec| add(spec, "user-service-2")).ends_with("a member has that name"));
    assert!(problem(|spec| add(spec, "redis-1")).ends_with("a member has that name"));
    assert_starts(&problem(|spec| add(spec, "Chat")), "services.Chat: ");
    assert_eq!(problems(|spec| add(spec, "chat")), [""; 0]);
}

#[test]
fn schemas_and_databases_are_identifiers_and_schemas_are_not_shared() {
    for name in ["", "Users", "a-b", "x;drop table", "1a", &"s".repeat(58)] {
        assert_starts(
            &problem(|spec| auth(spec).schema = Some(name.to_owned())),
            "services.auth-service.schema: ",
        );
    }
    for name in ["public", "pg_users", "information_schema"] {
        assert!(problem(|spec| auth(spec).schema = Some(name.to_owned())).contains("PostgreSQL's own"));
    }
    assert!(problem(|spec| auth(spec).database = Some("postgres".to_owned())).contains("PostgreSQL's own"));
    assert_starts(
        &problem(|spec| auth(spec).database = Some("nova core".to_owned())),
        "services.auth-service.database: ",
    );
    assert_starts(
        &problem(|spec| {
            auth(spec).database = Some("nova_other".to_owned());
            auth(spec).schema = Some("users".to_owned());
        }),
        "services.user-service.schema services.auth-service.schema: user-service and auth-service both have the schema \"users\"",
    );
}

#[test]
fn environment_settings_are_novas() {
    for name in ["PATH", "LD_PRELOAD", "NOVA_", "NOVA_a", "NOVA_X=Y", ""] {
        assert!(
            problem(|spec| drop(auth(spec).env.insert(name.to_owned(), String::new()))).contains("is not a setting")
        );
    }
    assert!(problem(|spec| drop(auth(spec).env.insert("NOVA_X".to_owned(), "a\0b".to_owned()))).contains("NUL"));
    assert!(warnings(|spec| drop(auth(spec).env.insert("NOVA_X".to_owned(), String::new()))).is_empty());
}

#[test]
fn weakened_protections_are_allowed_and_named() {
    let postgres = |change: fn(&mut crate::spec::PostgresSpec)| warnings(|spec| change(&mut spec.postgres));
    assert_eq!(
        postgres(|spec| spec.synchronous_mode = SynchronousMode::Off),
        ["postgres.synchronous_mode"]
    );
    assert_eq!(postgres(|spec| spec.failsafe_mode = false), ["postgres.failsafe_mode"]);
    assert_eq!(
        postgres(|spec| spec.primary_start_timeout = ms(30_000)),
        ["postgres.primary_start_timeout"]
    );
    assert_eq!(postgres(|spec| spec.members = 2), ["postgres.members"]);
    assert_eq!(
        postgres(|spec| (spec.members, spec.synchronous_mode) = (1, SynchronousMode::Off)),
        ["postgres.members"]
    );
    let redis = |change: fn(&mut crate::spec::RedisSpec)| warnings(|spec| change(&mut spec.redis));
    assert_eq!(redis(|spec| spec.quorum = 1), ["redis.quorum"]);
    assert_eq!(redis(|spec| spec.appendonly = false), ["redis.appendonly"]);
    assert_eq!(
        redis(|spec| spec.min_replicas_to_write = 0),
        ["redis.min_replicas_to_write"]
    );
    assert_eq!(
        redis(|spec| spec.min_replicas_to_write = 2),
        ["redis.min_replicas_to_write"]
    );
    assert_eq!(
        redis(|spec| (spec.members, spec.min_replicas_to_write) = (1, 0)),
        ["redis.members"]
    );
    assert_eq!(
        redis(|spec| (spec.sentinels, spec.quorum) = (1, 1)),
        ["redis.sentinels"]
    );
    let kafka = |change: fn(&mut crate::spec::KafkaSpec)| warnings(|spec| change(&mut spec.kafka));
    assert_eq!(
        kafka(|spec| spec.min_insync_replicas = 1),
        ["kafka.min_insync_replicas"]
    );
    assert_eq!(
        kafka(|spec| spec.min_insync_replicas = 3),
        ["kafka.min_insync_replicas"]
    );
    assert_eq!(
        kafka(|spec| spec.unclean_leader_election = true),
        ["kafka.unclean_leader_election"]
    );
    assert_eq!(
        kafka(|spec| (spec.replication_factor, spec.min_insync_replicas) = (1, 1)),
        ["kafka.replication_factor"]
    );
    assert_eq!(warnings(|spec| spec.etcd.members = 1), ["etcd.members"]);
    assert_eq!(
        warnings(|spec| auth(spec).members = 1),
        ["services.auth-service.members"]
    );
}

#[test]
fn a_platform_of_single_members_can_be_had_with_its_warnings() {
    let text = "[etcd]\nmembers = 1\n[postgres]\nmembers = 1\nsynchronous_mode = \"off\"\n[redis]\nmembers = 1\nsentinels = 1\n\
                quorum = 1\nmin_replicas_to_write = 0\n[kafka]\nmembers = 1\nreplication_factor = 1\nmin_insync_replicas = 1\n";
    let platform = parse(text, "nova.toml").unwrap();
    let keys: Vec<&str> = platform.warnings.iter().map(|warning| warning.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "etcd.members",
            "postgres.members",
            "redis.members",
            "redis.sentinels",
            "kafka.members"
        ]
    );
    assert!(platform.warnings[0].to_string().starts_with("etcd.members: "));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_numbers_make_it_panic(small in any::<[u16; 8]>(), large in any::<[u32; 3]>(), times in any::<[u64; 4]>()) {
        findings(|spec| {
            (spec.etcd.members, spec.redis.sentinels, spec.redis.quorum) = (small[0], small[1], small[2]);
            (spec.redis.min_replicas_to_write, spec.kafka.replication_factor) = (small[3], small[4]);
            (spec.postgres.members, spec.postgres.synchronous_node_count) = (small[5], small[6]);
            (auth(spec).members, auth(spec).port, auth(spec).database_pool) = (small[7], small[0], large[0]);
            (spec.postgres.max_connections, spec.gateway.max_connections) = (large[1], large[2]);
            spec.etcd.heartbeat_interval = Duration(std::time::Duration::from_secs(times[0]));
            spec.postgres.retry_timeout = Duration(std::time::Duration::from_secs(times[1]));
            spec.postgres.loop_wait = ms(times[2]);
            spec.kafka.heap = Size(times[3]);
        });
    }
}
