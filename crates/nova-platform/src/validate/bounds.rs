//! Sane bounds of each number, duration and size alone. Structs are taken apart without `..`, so that a new setting cannot
//! be forgotten here.

use std::fmt::Display;
use std::time::Duration as StdDuration;

use crate::key::Key;
use crate::spec::{
    BudgetSpec, BudgetTimes, DrillSpec, EtcdSpec, GatewaySpec, KafkaSpec, LocalSpec, PostgresSpec, RedisSpec,
    ServiceSpec, Spec,
};
use crate::units::{Duration, Size};

use super::Findings;
use super::ports::OPERATIONS;

const SECOND: Duration = Duration(StdDuration::from_secs(1));
const MINUTE: Duration = Duration(StdDuration::from_secs(60));
const HOUR: Duration = Duration(StdDuration::from_secs(3600));
const MB: Size = Size(1 << 20);
const GB: Size = Size(1 << 30);
const TB: Size = Size(1 << 40);

pub(super) fn check(spec: &Spec, findings: &mut Findings) {
    let Spec {
        platform: _,
        local,
        // `kubernetes.rs` judges it.
        kubernetes: _,
        etcd,
        postgres,
        redis,
        kafka,
        gateway,
        // `calls.rs` judges them.
        calls: _,
        drill,
        services,
    } = spec;
    check_local(local, &mut Section::new("local", findings));
    check_etcd(etcd, &mut Section::new("etcd", findings));
    check_postgres(postgres, &mut Section::new("postgres", findings));
    check_redis(redis, &mut Section::new("redis", findings));
    check_kafka(kafka, &mut Section::new("kafka", findings));
    check_gateway(gateway, &mut Section::new("gateway", findings));
    check_drill(drill, findings);
    for (name, service) in services {
        let key = Key::service(name);
        check_service(service, &mut Section { key, findings });
    }
}

fn check_local(spec: &LocalSpec, section: &mut Section) {
    let LocalSpec {
        network: _,
        gateway_address: _,
        user: _,
        restart_backoff,
        restart_backoff_max,
        log_max_size,
    } = spec;
    section.between("restart_backoff", *restart_backoff, ms(10), MINUTE);
    section.between("restart_backoff_max", *restart_backoff_max, ms(10), HOUR);
    section.between("log_max_size", *log_max_size, Size(64 << 10), Size(10 * GB.0));
}

fn check_etcd(spec: &EtcdSpec, section: &mut Section) {
    let EtcdSpec {
        members: _,
        client_port,
        peer_port,
        heartbeat_interval,
        election_timeout,
        quota_backend_size,
    } = spec;
    section.port("client_port", *client_port);
    section.port("peer_port", *peer_port);
    section.between("heartbeat_interval", *heartbeat_interval, ms(10), ms(10_000));
    section.between("election_timeout", *election_timeout, ms(50), ms(50_000));
    section.between(
        "quota_backend_size",
        *quota_backend_size,
        Size(16 * MB.0),
        Size(8 * GB.0),
    );
}

fn check_postgres(spec: &PostgresSpec, section: &mut Section) {
    let PostgresSpec {
        members: _,
        port,
        patroni_port,
        synchronous_mode: _,
        synchronous_node_count: _,
        failsafe_mode: _,
        ttl,
        loop_wait,
        retry_timeout,
        primary_start_timeout,
        max_connections,
        shared_buffers,
        max_wal_size,
        max_slot_wal_keep_size,
    } = spec;
    section.port("port", *port);
    section.port("patroni_port", *patroni_port);
    // The lower ends are Patroni's own; it would silently raise what is below.
    section.whole_seconds(
        "ttl",
        *ttl,
        Duration(StdDuration::from_secs(20)),
        Duration(MINUTE.0 * 10),
    );
    section.whole_seconds("loop_wait", *loop_wait, SECOND, MINUTE);
    section.whole_seconds(
        "retry_timeout",
        *retry_timeout,
        Duration(StdDuration::from_secs(3)),
        MINUTE,
    );
    section.whole_seconds("primary_start_timeout", *primary_start_timeout, ms(0), HOUR);
    section.between("max_connections", *max_connections, 20, 10_000);
    section.whole_megabytes("shared_buffers", *shared_buffers, MB, TB);
    section.whole_megabytes("max_wal_size", *max_wal_size, Size(32 * MB.0), TB);
    section.whole_megabytes("max_slot_wal_keep_size", *max_slot_wal_keep_size, Size(32 * MB.0), TB);
}

fn check_redis(spec: &RedisSpec, section: &mut Section) {
    let RedisSpec {
        members: _,
        port,
        sentinels: _,
        sentinel_port,
        quorum: _,
        down_after,
        failover_timeout,
        maxmemory,
        appendonly: _,
        min_replicas_to_write: _,
        min_replicas_max_lag,
    } = spec;
    section.port_with_one_above("port", *port);
    section.port_with_one_above("sentinel_port", *sentinel_port);
    section.between("down_after", *down_after, ms(100), Duration(MINUTE.0 * 5));
    section.between("failover_timeout", *failover_timeout, SECOND, HOUR);
    section.between("maxmemory", *maxmemory, Size(4 * MB.0), TB);
    // A replica reports once a second, so a shorter limit would refuse writes at random.
    section.whole_seconds(
        "min_replicas_max_lag",
        *min_replicas_max_lag,
        Duration(SECOND.0 * 2),
        Duration(MINUTE.0 * 10),
    );
}

fn check_kafka(spec: &KafkaSpec, section: &mut Section) {
    let KafkaSpec {
        members: _,
        port,
        controller_port,
        replication_factor: _,
        min_insync_replicas: _,
        unclean_leader_election: _,
        heap,
        session_timeout,
        heartbeat_interval,
    } = spec;
    section.port("port", *port);
    section.port("controller_port", *controller_port);
    section.whole_megabytes("heap", *heap, Size(128 * MB.0), Size(64 * GB.0));
    section.between("session_timeout", *session_timeout, ms(500), Duration(MINUTE.0 * 10));
    section.between("heartbeat_interval", *heartbeat_interval, ms(50), MINUTE);
}

fn check_gateway(spec: &GatewaySpec, section: &mut Section) {
    let GatewaySpec {
        primary_port,
        replicas_port,
        check_interval,
        max_connections,
        // `names.rs` judges them.
        origins: _,
    } = spec;
    section.port("primary_port", *primary_port);
    section.port("replicas_port", *replicas_port);
    section.between("check_interval", *check_interval, ms(50), MINUTE);
    section.between("max_connections", *max_connections, 20, 1_000_000);
}

fn check_drill(spec: &DrillSpec, findings: &mut Findings) {
    let DrillSpec { budget } = spec;
    let BudgetSpec {
        postgres,
        redis,
        kafka,
        service,
    } = budget;
    for (store, times) in [
        ("postgres", postgres),
        ("redis", redis),
        ("kafka", kafka),
        ("service", service),
    ] {
        let BudgetTimes {
            kill,
            node,
            drain,
            partition,
            switchover,
        } = times;
        let key = Key::new("drill.budget").child(store);
        let mut section = Section { key, findings };
        // Below the clients' own pace nothing could be told from an undisturbed write.
        for (name, time) in [
            ("kill", kill),
            ("node", node),
            ("drain", drain),
            ("partition", partition),
            ("switchover", switchover),
        ] {
            section.between(name, *time, ms(50), HOUR);
        }
    }
}

fn check_service(spec: &ServiceSpec, section: &mut Section) {
    let ServiceSpec {
        members: _,
        port,
        public: _,
        // `services.rs` judges these.
        uses: _,
        database: _,
        schema: _,
        replication: _,
        needs: _,
        database_pool,
        redis_pool,
        // `kubernetes.rs` judges these.
        members_max: _,
        cpu: _,
        cpu_limit: _,
        memory: _,
        memory_limit: _,
        env: _,
        calls: _,
    } = spec;
    section.port_with_one_above("port", *port);
    section.between("database_pool", *database_pool, 1, 1_000);
    section.between("redis_pool", *redis_pool, 1, 1_000);
}

/// One table of the description.
struct Section<'a> {
    key: Key,
    findings: &'a mut Findings,
}

impl<'a> Section<'a> {
    fn new(name: &str, findings: &'a mut Findings) -> Self {
        let key = Key::new(name);
        Self { key, findings }
    }

    fn between<T: PartialOrd + Display>(&mut self, name: &str, value: T, least: T, most: T) -> bool {
        let fine = value >= least && value <= most;
        if !fine {
            let key = self.key.child(name);
            let message = format!("{key} is {value}: it must be from {least} to {most}");
            self.findings.problem([key], message);
        }
        fine
    }

    fn whole_seconds(&mut self, name: &str, value: Duration, least: Duration, most: Duration) {
        if self.between(name, value, least, most) && value.0.subsec_nanos() != 0 {
            let key = self.key.child(name);
            let message = format!("{key} is {value}: it must be whole seconds");
            self.findings.problem([key], message);
        }
    }

    fn whole_megabytes(&mut self, name: &str, value: Size, least: Size, most: Size) {
        if self.between(name, value, least, most) && !value.bytes().is_multiple_of(MB.0) {
            let key = self.key.child(name);
            let message = format!("{key} is {value}: it must be whole MB");
            self.findings.problem([key], message);
        }
    }

    /// Members run unprivileged, and the kernel keeps the low ports to itself.
    fn port(&mut self, name: &str, port: u16) {
        if port < 1024 {
            let key = self.key.child(name);
            let message = format!("{key} is {port}: members run unprivileged and may listen on 1024 and above only");
            self.findings.problem([key], message);
        }
    }

    /// Of what says at another port whether it is ready: a service, and on a cluster a Redis server and a Sentinel.
    fn port_with_one_above(&mut self, name: &str, port: u16) {
        self.port(name, port);
        if port.checked_add(OPERATIONS).is_none() {
            let key = self.key.child(name);
            let message =
                format!("{key} is {port}: operations listen on the port above by 1000, and there is none above 65535");
            self.findings.problem([key], message);
        }
    }
}

const fn ms(milliseconds: u64) -> Duration {
    Duration(StdDuration::from_millis(milliseconds))
}
