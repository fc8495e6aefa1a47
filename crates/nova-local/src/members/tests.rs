//! The settings that prevent known failures are there, and nothing that a plan shows is secret.

use std::collections::BTreeSet;

use nova_platform::components::ComponentId;
use serde_json::Value;

use super::*;

struct Fixture {
    spec: Spec,
    secrets: Secrets,
    programs: Programs,
    services: BTreeMap<String, PathBuf>,
}

impl Fixture {
    fn new() -> Self {
        let spec: Spec =
            toml::from_str(include_str!("../../../../nova.toml")).expect("the shipped description is valid");
        let programs = Programs::of(BTreeMap::from([
            ("etcd", "/usr/bin/etcd".into()),
            ("redis-server", "/usr/bin/redis-server".into()),
            ("postgres", "/usr/lib/postgresql/15/bin".into()),
            ("patroni", "/opt/patroni/bin/patroni".into()),
            ("java", "/usr/bin/java".into()),
            ("kafka", "/opt/kafka".into()),
            ("haproxy", "/usr/sbin/haproxy".into()),
        ]));
        let services = spec
            .services
            .keys()
            .map(|name| (name.clone(), PathBuf::from(format!("/bin/{name}"))))
            .collect();
        Self {
            secrets: Secrets::generate(&spec).expect("random numbers"),
            spec,
            programs,
            services,
        }
    }

    fn site(&self) -> Site<'_> {
        Site {
            spec: &self.spec,
            secrets: &self.secrets,
            state: Path::new("/var/lib/nova/a-platform-with-a-rather-long-name"),
            programs: &self.programs,
            nova: Path::new("/bin/nova"),
            services: &self.services,
            cores: 4,
        }
    }

    fn plans(&self) -> Vec<MemberPlan> {
        plans(&self.site()).expect("nothing is missing")
    }

    fn plan(&self, name: &str) -> MemberPlan {
        self.plans()
            .into_iter()
            .find(|plan| plan.name == name)
            .expect("it is a member")
    }
}

fn content<'a>(plan: &'a MemberPlan, path: &str) -> &'a str {
    &plan
        .files
        .iter()
        .find(|file| file.path == Path::new(path))
        .expect("it is planned")
        .content
}

fn has_lines(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(
            text.lines().any(|present| present.trim() == *line),
            "no line {line:?} in\n{text}"
        );
    }
}

#[test]
fn plans_are_the_same_each_time_and_cover_every_member() {
    let fixture = Fixture::new();
    assert_eq!(fixture.plans(), fixture.plans());
    let members: Vec<_> = topology::components(&fixture.spec)
        .into_iter()
        .flat_map(|component| component.members)
        .collect();
    let names: Vec<_> = members.iter().map(|member| &member.name).collect();
    assert_eq!(fixture.plans().iter().map(|plan| &plan.name).collect::<Vec<_>>(), names);
}

#[test]
fn no_secret_stands_in_arguments_environment_or_debug_output() {
    let fixture = Fixture::new();
    let shown = fixture
        .plans()
        .iter()
        .map(|plan| format!("{:?}", plan))
        .collect::<String>();
    for name in fixture.secrets.names() {
        let secret = fixture.secrets.reveal(name).expect("it has a value");
        assert!(!shown.contains(secret), "{name} is shown");
    }
}

#[test]
fn no_two_members_listen_on_one_address() {
    let plans = Fixture::new().plans();
    let all: Vec<_> = plans.iter().flat_map(|plan| &plan.ports).collect();
    assert_eq!(all.len(), all.iter().collect::<BTreeSet<_>>().len());
    assert!(plans.iter().all(|plan| !plan.ports.is_empty()));
}

#[test]
fn no_socket_has_a_path_that_may_become_too_long() {
    let fixture = Fixture::new();
    let postgres = fixture.plan("postgres-1");
    let config: Value = serde_json::from_str(content(&postgres, "patroni/2-member.yml")).expect("JSON");
    assert_eq!(config["postgresql"]["parameters"]["unix_socket_directories"], "");
    has_lines(
        content(&fixture.plan("gateway-1"), "haproxy.cfg"),
        &["stats socket unix@admin.sock mode 600 level admin"],
    );
}

#[test]
fn postgres_keeps_what_was_acknowledged_and_heals() {
    let fixture = Fixture::new();
    let config = dcs(&fixture.spec);
    let expected = [
        ("/ttl", Value::from(20)),
        ("/loop_wait", 2.into()),
        ("/retry_timeout", 3.into()),
        ("/primary_start_timeout", 0.into()),
        ("/maximum_lag_on_failover", 1_048_576.into()),
        ("/check_timeline", true.into()),
        ("/failsafe_mode", true.into()),
        ("/synchronous_mode", "quorum".into()),
        ("/synchronous_node_count", 1.into()),
        ("/postgresql/use_pg_rewind", true.into()),
        ("/postgresql/remove_data_directory_on_rewind_failure", true.into()),
        ("/postgresql/remove_data_directory_on_diverged_timelines", true.into()),
        ("/postgresql/parameters/wal_level", "logical".into()),
        ("/postgresql/parameters/synchronous_commit", "on".into()),
        ("/postgresql/parameters/max_slot_wal_keep_size", "1024MB".into()),
        ("/postgresql/parameters/password_encryption", "scram-sha-256".into()),
    ];
    for (path, value) in expected {
        assert_eq!(config.pointer(path), Some(&value), "{path}");
    }
    let plan = fixture.plan("postgres-2");
    let bootstrap = plan
        .files
        .iter()
        .find(|file| file.path == Path::new("patroni/1-bootstrap.yml"))
        .expect("it is planned");
    assert!(
        bootstrap.once,
        "a changed setting would restart Patroni and still not count"
    );
    assert!(bootstrap.content.contains("data-checksums"));
    assert_eq!(plan.children, ["postgres"]);
}

fn dcs(spec: &Spec) -> Value {
    nova_platform::patroni_settings::shared_settings(spec)
}

#[test]
fn postgres_admits_nobody_without_a_password() {
    let fixture = Fixture::new();
    let plan = fixture.plan("postgres-1");
    let config: Value = serde_json::from_str(content(&plan, "patroni/2-member.yml")).expect("JSON");
    let rules = config["postgresql"]["pg_hba"].as_array().expect("a list");
    for rule in rules {
        let rule = rule.as_str().expect("text");
        assert!(rule.ends_with(" scram-sha-256") && rule.contains(" 127."), "{rule}");
    }
    assert_eq!(
        config["restapi"]["authentication"]["username"],
        nova_platform::patroni_settings::REST_USER
    );
    let secret = fixture.secrets.reveal("postgres-rewind").expect("it has a value");
    assert_eq!(config["postgresql"]["authentication"]["rewind"]["password"], secret);
    // Beside the password, not instead of it.
    assert_eq!(config["restapi"]["listen"], "127.77.0.1:8008");
}

#[test]
fn a_changed_cluster_setting_does_not_restart_patroni() {
    let mut fixture = Fixture::new();
    let before = fixture.plan("postgres-1");
    fixture.spec.postgres.max_connections = 300;
    let after = fixture.plan("postgres-1");
    let lasting = |plan: &MemberPlan| plan.files.iter().filter(|file| !file.once).cloned().collect::<Vec<_>>();
    assert_eq!(lasting(&before), lasting(&after));
    assert_eq!(
        dcs(&fixture.spec).pointer("/postgresql/parameters/max_connections"),
        Some(&300.into())
    );
}

#[test]
fn redis_bounds_what_an_isolated_master_loses() {
    let plan = Fixture::new().plan("redis-3");
    has_lines(
        content(&plan, "base.conf"),
        &[
            "bind 127.77.0.3",
            "appendonly yes",
            "min-replicas-to-write 1",
            "min-replicas-max-lag 10",
            "maxmemory 536870912",
        ],
    );
    assert_eq!(plan.args[..3], ["member", "redis", "--dir"]);
}

#[test]
fn a_sentinel_keeps_its_identity() {
    let fixture = Fixture::new();
    let ids: BTreeSet<String> = (1..=3)
        .map(|number| {
            let plan = fixture.plan(&format!("sentinel-{number}"));
            let text = content(&plan, "base.conf");
            has_lines(
                text,
                &[
                    &format!("bind 127.77.0.{number}"),
                    "sentinel down-after-milliseconds nova 1500",
                    "sentinel failover-timeout nova 10000",
                ],
            );
            text.lines()
                .find(|line| line.starts_with("sentinel myid "))
                .expect("an id")
                .to_owned()
        })
        .collect();
    assert_eq!(ids.len(), 3);
    assert!(ids.iter().all(|id| id.len() == "sentinel myid ".len() + 40));
}

#[test]
fn what_is_planned_for_redis_is_what_its_start_reads() {
    let fixture = Fixture::new();
    for (name, port) in [("redis-2", 6379), ("sentinel-2", 26379)] {
        let plan = fixture.plan(name);
        let start: nova_member::Start = serde_json::from_str(content(&plan, "start.json")).expect("it is read");
        assert_eq!((start.own.host.as_str(), start.own.port), ("127.77.0.2", port));
        assert_eq!((start.own.member.as_str(), start.bind.as_str()), (name, "127.77.0.2"));
        assert_eq!((start.servers.len(), start.sentinels.len(), start.quorum), (3, 3, 2));
        let secret = |name| fixture.secrets.reveal(name).expect("it has a value");
        assert_eq!(start.password, secret("redis"));
        assert_eq!(start.sentinel_password, secret("redis-sentinel"));
    }
    assert_eq!(nova_member::MASTER_NAME, config::redis::MASTER_NAME);
}

#[test]
fn kafka_never_loses_an_acknowledged_record_to_an_election() {
    let fixture = Fixture::new();
    let plan = fixture.plan("kafka-2");
    has_lines(
        content(&plan, "server.properties"),
        &[
            "node.id=2",
            "default.replication.factor=3",
            "min.insync.replicas=2",
            "unclean.leader.election.enable=false",
            "transaction.state.log.min.isr=2",
            "offsets.topic.replication.factor=3",
            "broker.session.timeout.ms=2000",
            "auto.create.topics.enable=false",
        ],
    );
    let format = |name| {
        let plan = fixture.plan(name);
        let start: nova_member::kafka_start::Start = serde_json::from_str(content(&plan, "start.json")).expect("JSON");
        start.format
    };
    // All members must write down the same voters and the same cluster.
    assert_eq!(format("kafka-1"), format("kafka-3"));
    assert_eq!(format("kafka-1").join(" ").matches("@127.77.0.").count(), 3);
}

#[test]
fn the_gateway_leaves_no_session_with_a_demoted_leader_and_repeats_only_reads() {
    let fixture = Fixture::new();
    let plan = fixture.plan("gateway-1");
    let text = content(&plan, "haproxy.cfg");
    has_lines(
        text,
        &[
            "bind 127.0.0.1:15432",
            "http-check send meth OPTIONS uri /primary",
            "server postgres-3 127.77.0.3:5432 check port 8008 on-marked-down shutdown-sessions",
            "use_backend postgres-replicas if { nbsrv(postgres-replicas) gt 0 }",
            "http-request disable-l7-retry unless METH_GET",
            "http-request del-header X-Forwarded-For",
            "server auth-service-2 127.77.0.2:8084 check port 9084",
            "acl internal path_beg /api/v1/internal/",
            "acl of_service http_auth_bearer,jwt_header_query('$.typ') -m str nova-service+jwt",
        ],
    );
}

/// What a plan starts stands among the facts, so that the doctor looks for it.
#[test]
fn the_programs_of_plans_are_those_that_the_doctor_looks_for() {
    let wanted: BTreeSet<&str> = ComponentId::OWN
        .iter()
        .flat_map(|id| facts(id).programs)
        .map(|program| program.key())
        .collect();
    let known = [
        "etcd",
        "redis-server",
        "postgres",
        "patroni",
        "java",
        "kafka",
        "haproxy",
    ];
    assert_eq!(wanted, BTreeSet::from(known));
}

#[test]
fn a_service_is_told_where_everything_is() {
    let mut fixture = Fixture::new();
    let own = BTreeMap::from([
        ("NOVA_LOG".to_owned(), "debug".to_owned()),
        ("NOVA_LOG_FORMAT".to_owned(), "text".to_owned()),
    ]);
    fixture.spec.services.get_mut("auth-service").expect("it is there").env = own;
    let env = fixture.plan("auth-service-1").env;
    let expected = [
        ("NOVA_LISTEN", "127.77.0.1:8084"),
        ("NOVA_TRUSTED_PROXIES", "127.0.0.1/32"),
        ("NOVA_OPERATIONS_LISTEN", "127.77.0.1:9084"),
        ("NOVA_DATABASE_PRIMARY", "127.0.0.1:15432"),
        ("NOVA_DATABASE_USER", "auth_app"),
        ("NOVA_DATABASE_OWNER", "auth_owner"),
        (
            "NOVA_REDIS_SENTINELS",
            "127.77.0.1:26379,127.77.0.2:26379,127.77.0.3:26379",
        ),
        ("NOVA_IDENTITY_ISSUER", "http://127.0.0.1:8084"),
        ("NOVA_LOG", "debug"),
        ("NOVA_LOG_FORMAT", "text"),
    ];
    for (name, value) in expected {
        assert_eq!(env.get(name).map(String::as_str), Some(value), "{name}");
    }
    let files: BTreeSet<String> = fixture
        .secrets
        .files()
        .map(|(name, _)| fixture.site().secret_file(name).display().to_string())
        .collect();
    for (name, value) in env.iter().filter(|(name, _)| name.ends_with("_FILE")) {
        assert!(
            files.contains(value),
            "{name}={value} is not among the files that services read"
        );
    }
    assert!(env.contains_key("NOVA_AUTH_SIGNING_KEYS_FILE"));
    // Two members on four cores.
    assert_eq!(env["NOVA_AUTH_HASH_THREADS"], "2");
    let client = fixture.site().secret_file("client-user-service").display().to_string();
    assert!(files.contains(&client));
    assert_eq!(env["NOVA_AUTH_CLIENTS"], format!("user-service={client}"));
    assert_eq!(env["NOVA_USER_SERVICE_URL"], "http://127.0.0.1:8080");
    assert!(!env.contains_key("NOVA_CLIENT_SECRET_FILE"));

    let env = fixture.plan("user-service-1").env;
    assert_eq!(env["NOVA_CLIENT_SECRET_FILE"], client);
    assert_eq!(env["NOVA_AUTH_SERVICE_URL"], "http://127.0.0.1:8084");
    assert!(
        !env.keys()
            .any(|name| name.starts_with("NOVA_AUTH_") && name != "NOVA_AUTH_SERVICE_URL")
    );
}

#[test]
fn a_service_is_given_what_it_uses_and_nothing_else() {
    let mut fixture = Fixture::new();
    let users = fixture.plan("user-service-1").env;
    assert!(!users.keys().any(|name| name.contains("REDIS")), "{users:?}");

    let text = "[services.cdc-service]\nmembers = 2\nport = 8087\npublic = false\nuses = [\"postgres\", \"kafka\"]\n\
                database = \"nova_core\"\nreplication = true\n";
    fixture.spec = nova_platform::load::parse(text, "nova.toml").expect("it is sound").spec;
    fixture.secrets = Secrets::generate(&fixture.spec).expect("random numbers");
    fixture
        .services
        .insert("cdc-service".to_owned(), PathBuf::from("/bin/cdc-service"));
    let plan = fixture.plan("cdc-service-2");
    assert_eq!(plan.env["NOVA_LISTEN"], "127.77.0.2:8087");
    assert_eq!(plan.env["NOVA_OPERATIONS_LISTEN"], "127.77.0.2:9087");
    assert_eq!(plan.env["NOVA_DATABASE_PRIMARY"], "127.0.0.1:15432");
    assert_eq!(plan.env["NOVA_DATABASE_USER"], "cdc_service_app");
    assert_eq!(
        plan.env["NOVA_KAFKA_BOOTSTRAP"],
        "127.77.0.1:9092,127.77.0.2:9092,127.77.0.3:9092"
    );
    let secrets = plan.env.values().filter(|value| value.contains("/secrets/"));
    assert_eq!(
        secrets.collect::<Vec<_>>(),
        [&fixture.site().secret_file("postgres-cdc-service").display().to_string()]
    );
    let gateway = fixture.plan("gateway-1");
    assert!(!gateway.files[0].content.contains("cdc-service"));
    assert!(gateway.ports.iter().all(|port| port.port != 8087));
}

#[test]
fn a_service_is_told_of_no_other_services_secret() {
    let mut fixture = Fixture::new();
    let chat = fixture.spec.services["user-service"].clone();
    fixture.spec.services.insert("chat".to_owned(), chat);
    fixture.services.insert("chat".to_owned(), PathBuf::from("/bin/chat"));
    fixture.secrets = Secrets::generate(&fixture.spec).expect("random numbers");
    let told = |member: &str| fixture.plan(member).env.into_values().collect::<Vec<_>>().join("\n");
    let issuer = told("auth-service-1");
    assert!(issuer.contains("/client-chat") && issuer.contains("/client-user-service"));
    for (member, own, others) in [
        ("chat-1", "/client-chat", "user-service"),
        ("user-service-1", "/client-user-service", "chat"),
    ] {
        let told = told(member);
        assert!(told.contains(own), "{member}");
        for other in [others, "auth-service", "auth-signing-key"] {
            let of_other = [
                format!("/client-{other}"),
                format!("/postgres-{other}"),
                format!("/{other}"),
            ];
            assert!(
                !of_other.iter().any(|file| told.contains(file)),
                "{member}: {other} in {told}"
            );
        }
    }
}

#[test]
fn a_service_is_told_how_to_call_others() {
    let mut fixture = Fixture::new();
    let expected = [
        ("NOVA_HTTP_TIMEOUT", "3s"),
        ("NOVA_HTTP_CONNECT_TIMEOUT", "1s"),
        ("NOVA_HTTP_IDLE_TIMEOUT", "10s"),
        ("NOVA_HTTP_POOL_SIZE", "50"),
        ("NOVA_HTTP_POOL_WAIT", "100ms"),
        ("NOVA_RETRY_MAX", "3"),
        ("NOVA_RETRY_DELAY", "100ms"),
        ("NOVA_RETRY_DELAY_MAX", "1s"),
        ("NOVA_RETRY_BUDGET", "0.2"),
        ("NOVA_RETRY_FLOOR", "1"),
        ("NOVA_BREAKER_WINDOW", "10s"),
        ("NOVA_BREAKER_MINIMUM_CALLS", "10"),
        ("NOVA_BREAKER_FAILURE_RATIO", "0.5"),
        ("NOVA_BREAKER_SLOW_CALL", "1s"),
        ("NOVA_BREAKER_SLOW_RATIO", "0.5"),
        ("NOVA_BREAKER_OPEN", "2s"),
        ("NOVA_BREAKER_PROBES", "3"),
        ("NOVA_BREAKER_PROBE_TIMEOUT", "1s"),
    ];
    for member in ["auth-service-2", "user-service-1"] {
        let env = fixture.plan(member).env;
        for (name, value) in expected {
            assert_eq!(env.get(name).map(String::as_str), Some(value), "{member} {name}");
        }
        assert!(!env.contains_key("NOVA_CALLS"), "{member}");
    }
    let own = "[auth-service]\ntimeout = \"1s 500ms\"\nretry_max = 1\nbreaker_failure_ratio = 0.25\n[chat]\npool_size = 5\n[idle]\n";
    fixture
        .spec
        .services
        .get_mut("user-service")
        .expect("it is there")
        .calls = toml::from_str(own).expect("overrides");
    assert_eq!(
        fixture.plan("user-service-3").env["NOVA_CALLS"],
        "auth-service.breaker-failure-ratio=0.25,auth-service.http-timeout=1s500ms,auth-service.retry-max=1,chat.http-pool-size=5"
    );
    assert!(!fixture.plan("auth-service-1").env.contains_key("NOVA_CALLS"));
}

#[test]
fn a_changed_setting_of_calls_concerns_services_that_call_alone() {
    let mut fixture = Fixture::new();
    let before = fixture.plans();
    fixture.spec.calls.retry_max = 2;
    let after = fixture.plans();
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(
            before != after,
            ["auth-service", "user-service"].contains(&before.component.as_str()),
            "{}",
            before.name
        );
    }
}

#[test]
fn a_service_without_a_program_is_an_error_that_names_it() {
    let mut fixture = Fixture::new();
    fixture.services.clear();
    let error = plans(&fixture.site()).expect_err("no programs").to_string();
    assert!(error.contains("auth-service"), "{error}");
}
