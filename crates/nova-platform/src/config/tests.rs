//! What differs where members are met by name and listen on every address. What is the same everywhere is tested with the
//! local target's plans.
#![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::secrets::Secrets;
use crate::units::Size;

/// Members with names of their own that listen everywhere.
struct Named(Spec);

impl Named {
    fn new() -> Self {
        Self(crate::load::load(None).unwrap().spec)
    }

    fn member(&self, name: &str) -> Member {
        let components = topology::components(&self.0);
        let mut members = components.into_iter().flat_map(|component| component.members);
        members.find(|member| member.name == name).unwrap()
    }
}

impl Site for Named {
    fn spec(&self) -> &Spec {
        &self.0
    }

    fn host(&self, member: &Member) -> String {
        format!("{}.example.org", member.name)
    }

    fn bind(&self, _: &Member) -> String {
        "0.0.0.0".to_owned()
    }
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
fn etcd_listens_everywhere_and_is_met_by_name() {
    let site = Named::new();
    let start = etcd::start(&site, &site.member("etcd-2"), "/usr/bin/etcd", "/data/etcd", None);
    let args: Vec<&str> = start["arguments"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for expected in [
        "--name=etcd-2",
        "--data-dir=/data/etcd",
        "--listen-peer-urls=http://0.0.0.0:2380",
        "--initial-advertise-peer-urls=http://etcd-2.example.org:2380",
        "--advertise-client-urls=http://etcd-2.example.org:2379",
    ] {
        assert!(args.contains(&expected), "{expected} is missing in {args:?}");
    }
    assert_eq!(
        (&start["member"], &start["bind"]),
        (&"etcd-2".into(), &"0.0.0.0".into())
    );
    let members = etcd::members(&site);
    assert_eq!(members["members"].as_array().map(Vec::len), Some(3));
    assert_eq!(members["members"][2]["host"], "etcd-3.example.org");
}

#[test]
fn kafka_advertises_its_name_and_not_what_it_listens_on() {
    let site = Named::new();
    let text = kafka::properties(&site, &site.member("kafka-2"), "/data/kafka");
    has_lines(
        &text,
        &[
            "listeners=PLAINTEXT://0.0.0.0:9092,CONTROLLER://0.0.0.0:9093",
            "advertised.listeners=PLAINTEXT://kafka-2.example.org:9092,CONTROLLER://kafka-2.example.org:9093",
            "controller.quorum.bootstrap.servers=kafka-1.example.org:9093,kafka-2.example.org:9093,kafka-3.example.org:9093",
            "log.dirs=/data/kafka",
        ],
    );
    assert!(kafka::controllers(&site).contains("2@kafka-2.example.org:9093:"));
    assert!(!kafka::controllers(&site).contains("0.0.0.0"));
}

#[test]
fn redis_and_sentinel_are_told_where_all_are_met_and_nothing_secret() {
    let site = Named::new();
    let start = redis::start(&site, &site.member("sentinel-3"), "/usr/bin/redis-server");
    assert_eq!(
        start["own"],
        serde_json::json!({ "member": "sentinel-3", "host": "sentinel-3.example.org", "port": 26379 })
    );
    assert_eq!(start["bind"], "0.0.0.0");
    assert_eq!(start["servers"][0]["host"], "redis-1.example.org");
    assert_eq!(start["servers"][0]["port"], 6379);
    assert_eq!(start["sentinels"].as_array().unwrap().len(), 3);

    let conf = redis::base_conf(&site, &site.member("redis-1"), Size(100 << 20));
    has_lines(&conf, &["bind 0.0.0.0", "maxmemory 104857600"]);
    let sentinel = sentinel::base_conf(&site, &site.member("sentinel-1"));
    has_lines(
        &sentinel,
        &["bind 0.0.0.0", "sentinel down-after-milliseconds nova 1500"],
    );
    for text in [conf, sentinel] {
        assert!(!text.contains("pass") && !text.contains("announce"), "{text}");
    }
}

#[test]
fn patroni_listens_everywhere_and_is_met_by_name() {
    let site = Named::new();
    let paths = postgres::Paths {
        data_dir: "/data/pg",
        bin_dir: "/usr/lib/postgresql/17/bin",
        pgpass: "/run/nova/pgpass",
    };
    let rule = "host all all all scram-sha-256".to_owned();
    let member = postgres::member(&site, &site.member("postgres-1"), &paths, vec![rule]);
    for (path, expected) in [
        ("/restapi/listen", "0.0.0.0:8008"),
        ("/restapi/connect_address", "postgres-1.example.org:8008"),
        ("/postgresql/listen", "0.0.0.0:5432"),
        ("/postgresql/connect_address", "postgres-1.example.org:5432"),
        ("/postgresql/data_dir", "/data/pg"),
        ("/etcd3/hosts/2", "etcd-3.example.org:2379"),
        ("/postgresql/pg_hba/0", "host all all all scram-sha-256"),
    ] {
        assert_eq!(
            member.pointer(path).and_then(|value| value.as_str()),
            Some(expected),
            "{path}"
        );
    }
    assert!(!member.to_string().contains("password"));
}

#[test]
fn the_gateway_of_named_members_starts_without_dns_and_heals_and_holds_on_to_addresses() {
    let mut site = Named::new();
    site.0.services.clear();
    let doors = haproxy::Doors {
        bind: "*",
        services: haproxy::Services::Known,
        health_port: Some(8404),
        admin_socket: "/run/nova/admin.sock",
    };
    let text = haproxy::config(&site, &doors);
    has_lines(
        &text,
        &[
            "stats socket unix@/run/nova/admin.sock mode 600 level admin",
            "bind *:8404",
            "monitor-uri /health",
            "bind *:15432",
            "parse-resolv-conf",
            "hold timeout 1d",
            "server postgres-3 postgres-3.example.org:5432 check port 8008 on-marked-down shutdown-sessions",
            "default-server inter 300ms fastinter 100ms downinter 300ms fall 2 rise 1 resolvers system init-addr last,libc,none",
        ],
    );
    assert!(!text.contains("auth-service"), "{text}");
    let (_, replicas) = text.split_once("\nbackend postgres-replicas\n").unwrap();
    has_lines(
        replicas,
        &["default-server inter 900ms downinter 900ms observe layer4 error-limit 1 on-error mark-down"],
    );
}

#[test]
fn members_that_come_and_go_are_discovered_and_a_name_that_stays_is_the_last_resort() {
    let site = Named::new();
    let discovery = haproxy::Discovery {
        members: "members.example.org".to_owned(),
        slots: 21,
        any_member: "any.example.org".to_owned(),
    };
    let services = BTreeMap::from([("user-service".to_owned(), discovery)]);
    let doors = haproxy::Doors {
        bind: "*",
        services: haproxy::Services::Discovered(&services),
        health_port: None,
        admin_socket: "admin.sock",
    };
    let text = haproxy::config(&site, &doors);
    // Of the backend alone: the settings of another one prove nothing.
    let (_, backend) = text.split_once("\nbackend user-service\n").unwrap();
    has_lines(
        backend,
        &[
            "retries 5",
            "retry-on conn-failure empty-response 503",
            "balance roundrobin",
            "default-server observe layer4 error-limit 1 on-error mark-down",
            "server-template user-service- 21 members.example.org:8080 check port 9080 resolvers members resolve-prefer ipv4 init-addr none",
            "server user-service any.example.org:8080 check port 9080 fall 5 on-error fastinter backup",
        ],
    );
    assert_eq!(backend.matches("example.org").count(), 2, "{backend}");
    // Addresses of members are dropped soon after the DNS does, those of stores are not, and an outage of the DNS drops none.
    let (_, resolvers) = text.split_once("\nresolvers members\n").unwrap();
    let (resolvers, _) = resolvers.split_once("\n\n").unwrap();
    has_lines(
        resolvers,
        &["hold obsolete 30s", "hold nx 30s", "hold other 1h", "hold timeout 1h"],
    );
    let (_, resolvers) = text.split_once("\nresolvers system\n").unwrap();
    has_lines(resolvers.split_once("\n\n").unwrap().0, &["hold obsolete 1d"]);
    // A service that nobody has told of has a door that leads nowhere.
    let (_, other) = text.split_once("\nbackend auth-service\n").unwrap();
    let other = other.split("\nfrontend ").next().unwrap();
    assert!(
        !other.contains("server auth-service") && !other.contains("server-template"),
        "{other}"
    );
}

fn environment(site: &Named, component: &str) -> BTreeMap<String, String> {
    let at = |host: &str, port| HostPort::new(host, port);
    service::environment(
        site,
        component,
        &service::Surroundings {
            listen: &at("0.0.0.0", 8080),
            operations_listen: &at("0.0.0.0", 9080),
            primary: &at("postgres-primary.example.org", 5432),
            replicas: &at("postgres-replicas.example.org", 5432),
            door: &|service| format!("http://{service}.example.org:80"),
            secret_file: &|secret| format!("/secrets/{secret}"),
            hash_threads: 1,
        },
    )
}

/// The files that a service's environment names, each by its secret.
fn told(env: &BTreeMap<String, String>) -> BTreeSet<String> {
    env.values()
        .flat_map(|value| value.split([',', '=']))
        .filter_map(|value| value.strip_prefix("/secrets/"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_service_is_told_of_exactly_the_secrets_that_it_reads() {
    let site = Named::new();
    let secrets = Secrets::generate(&site.0).unwrap();
    for component in site.0.services.keys() {
        let env = environment(&site, component);
        let named = service::secrets_of(&site.0, component);
        assert_eq!(told(&env), named.iter().cloned().collect(), "{component}");
        assert!(named.iter().all(|name| secrets.get(name).is_some()), "{named:?}");
        assert_eq!(env["NOVA_DATABASE_PRIMARY"], "postgres-primary.example.org:5432");
        // Who is shown no token need not know who signs them.
        let issuer = env.get("NOVA_IDENTITY_ISSUER").map(String::as_str);
        let wanted = (component != "cdc-service").then_some("http://auth-service.example.org:80");
        assert_eq!(issuer, wanted, "{component}");
    }
    assert!(environment(&site, "auth-service")["NOVA_REDIS_SENTINELS"].starts_with("sentinel-1.example.org:26379,"));
    assert_eq!(service::secrets_of(&site.0, "nobody"), [""; 0]);
}

#[test]
fn a_service_is_given_nothing_of_what_it_does_not_use() {
    let site = Named::new();
    let users = environment(&site, "user-service");
    assert!(
        !users
            .keys()
            .any(|name| name.contains("REDIS") || name.contains("KAFKA")),
        "{users:?}"
    );
    assert_eq!(
        service::secrets_of(&site.0, "user-service"),
        [
            "postgres-user-service",
            "postgres-user-service-owner",
            "client-user-service"
        ]
    );

    let mut site = Named::new();
    let bare = "[services.bare]\nmembers = 1\nport = 8090\n";
    site.0 = crate::load::parse(bare, "nova.toml").unwrap().spec;
    let env = environment(&site, "bare");
    let names: Vec<&str> = env
        .keys()
        .map(String::as_str)
        .filter(|name| name.starts_with("NOVA_"))
        .collect();
    assert_eq!(names, ["NOVA_LISTEN", "NOVA_LOG_FORMAT", "NOVA_OPERATIONS_LISTEN"]);
    assert_eq!(service::secrets_of(&site.0, "bare"), [""; 0]);
}

/// What reads the stream of changes and passes it on: no schema, no door, nobody's client.
#[test]
fn a_service_that_reads_the_stream_of_changes_is_given_postgres_and_kafka() {
    let mut site = Named::new();
    site.0 = crate::load::parse(crate::uses::CHANGES, "nova.toml").unwrap().spec;
    let env = environment(&site, "cdc-service");
    for (name, value) in [
        ("NOVA_DATABASE_PRIMARY", "postgres-primary.example.org:5432"),
        ("NOVA_DATABASE_NAME", "nova_core"),
        ("NOVA_DATABASE_USER", "cdc_service_app"),
        ("NOVA_DATABASE_PASSWORD_FILE", "/secrets/postgres-cdc-service"),
        (
            "NOVA_KAFKA_BOOTSTRAP",
            "kafka-1.example.org:9092,kafka-2.example.org:9092,kafka-3.example.org:9092",
        ),
    ] {
        assert_eq!(env.get(name).map(String::as_str), Some(value), "{name}");
    }
    let no = [
        "REDIS", "SCHEMA", "OWNER", "IDENTITY", "CLIENT", "_URL", "RETRY", "CORS",
    ];
    assert!(
        !env.keys().any(|name| no.iter().any(|word| name.contains(word))),
        "{env:?}"
    );
    assert_eq!(service::secrets_of(&site.0, "cdc-service"), ["postgres-cdc-service"]);
    assert_eq!(told(&env), BTreeSet::from(["postgres-cdc-service".to_owned()]));
    let secrets = Secrets::generate(&site.0).unwrap();
    assert!(secrets.get("postgres-cdc-service").is_some());
    for none in ["postgres-cdc-service-owner", "client-cdc-service"] {
        assert!(secrets.get(none).is_none(), "{none}");
    }
    let doors = haproxy::Doors {
        bind: "*",
        services: haproxy::Services::Known,
        health_port: None,
        admin_socket: "admin.sock",
    };
    assert!(!haproxy::config(&site, &doors).contains("cdc-service"));
}
