//! A member of a Nova service: the environment that tells it where that is which it uses, and nothing of anything else.

use std::collections::BTreeMap;

use super::redis::MASTER_NAME;
use super::{Site, host_ports, join};
use crate::components::{ComponentId, facts};
use crate::endpoints::HostPort;
use crate::secrets::{AUTH_SIGNING_KEY, client_secret, clients};
use crate::spec::{CallsSpec, ServiceSpec, Spec};
use crate::topology::Kind;
use crate::uses::{self, Tenancy, uses};

pub use crate::components::{ISSUER, OPERATIONS_OFFSET};

/// What the description does not say about a member's surroundings.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// Where its API listens.
    pub listen: &'a HostPort,
    /// Where its operations listen.
    pub operations_listen: &'a HostPort,
    /// PostgreSQL's leader.
    pub primary: &'a HostPort,
    /// PostgreSQL's replicas.
    pub replicas: &'a HostPort,
    /// The base URL of a service, by its name.
    pub door: &'a dyn Fn(&str) -> String,
    /// The path of the file that holds a secret, by the secret's name.
    pub secret_file: &'a dyn Fn(&str) -> String,
    /// Passwords that a member of the issuer hashes at a time.
    pub hash_threads: usize,
}

/// The variables of a service's member, without what every process has; empty when there is no such service.
#[must_use]
pub fn environment(site: &dyn Site, component: &str, around: &Surroundings<'_>) -> BTreeMap<String, String> {
    let spec = site.spec();
    let Some(service) = spec.services.get(component) else {
        return BTreeMap::new();
    };
    let mut env = BTreeMap::new();
    let mut set = |name: &str, value: String| env.insert(name.to_owned(), value);

    set("NOVA_LISTEN", around.listen.to_string());
    set("NOVA_OPERATIONS_LISTEN", around.operations_listen.to_string());
    set("NOVA_LOG_FORMAT", "json".to_owned());
    if let Some(tenancy) = uses::tenancy(component, service) {
        for (name, value) in database(&tenancy, around) {
            set(name, value);
        }
        set("NOVA_DATABASE_POOL", service.database_pool.to_string());
    }
    if uses(service, &ComponentId::Redis) {
        for (name, value) in redis(site, around) {
            set(name, value);
        }
        set("NOVA_REDIS_POOL", service.redis_pool.to_string());
    }
    if uses(service, &ComponentId::Kafka) {
        let brokers = host_ports(site, Kind::Kafka, spec.kafka.port);
        set("NOVA_KAFKA_BOOTSTRAP", join(&brokers, ","));
    }
    let mut calls_others = false;
    for other in uses::called(service) {
        calls_others = true;
        set(&url_variable(other), (around.door)(other));
    }
    if calls_others {
        for (name, value) in calls(&spec.calls, service) {
            set(&name, value);
        }
    }
    if service.public && !spec.gateway.origins.is_empty() {
        set("NOVA_CORS_ORIGINS", spec.gateway.origins.join(","));
    }
    if component == ISSUER {
        set("NOVA_AUTH_SIGNING_KEYS_FILE", (around.secret_file)(AUTH_SIGNING_KEY));
        set("NOVA_AUTH_HASH_THREADS", around.hash_threads.max(1).to_string());
        set("NOVA_AUTH_CLIENTS", client_files(spec, around));
    }
    if is_client(service) {
        // Its own secret and no other's.
        let own = client_secret(component);
        set("NOVA_CLIENT_SECRET_FILE", (around.secret_file)(&own));
    }
    if component == ISSUER || is_client(service) {
        for (name, value) in identity(around) {
            set(name, value);
        }
    }
    // An idle service stays small: few arenas, and freed blocks go back to the system.
    set("MALLOC_ARENA_MAX", "2".to_owned());
    set("MALLOC_MMAP_THRESHOLD_", "131072".to_owned());
    set("MALLOC_TRIM_THRESHOLD_", "131072".to_owned());
    env.extend(service.env.clone());
    env
}

/// The names of the secrets whose files a service reads, and no others; none when there is no such service.
#[must_use]
pub fn secrets_of(spec: &Spec, component: &str) -> Vec<String> {
    let Some(service) = spec.services.get(component) else {
        return Vec::new();
    };
    let given = service.uses.iter().flat_map(|id| facts(id).given);
    let mut names: Vec<String> = given.map(|name| (*name).to_owned()).collect();
    if let Some(tenancy) = uses::tenancy(component, service) {
        names.push(tenancy.password);
        names.extend(tenancy.schema.map(|schema| schema.password));
    }
    if component == ISSUER {
        names.push(AUTH_SIGNING_KEY.to_owned());
        names.extend(clients(spec).map(client_secret));
    }
    if is_client(service) {
        names.push(client_secret(component));
    }
    names
}

/// Whether it gets tokens of its own from the issuer, and verifies those that it is shown.
fn is_client(service: &ServiceSpec) -> bool {
    uses::called(service).any(|other| other == ISSUER)
}

/// The variable that says where a service is met, such as `NOVA_AUTH_SERVICE_URL`.
fn url_variable(service: &str) -> String {
    format!("NOVA_{}_URL", service.replace('-', "_").to_ascii_uppercase())
}

/// Every service's name and the file of its secret: the issuer has to know them all.
fn client_files(spec: &Spec, around: &Surroundings<'_>) -> String {
    clients(spec)
        .map(|service| format!("{service}={}", (around.secret_file)(&client_secret(service))))
        .collect::<Vec<_>>()
        .join(",")
}

fn database(tenancy: &Tenancy, around: &Surroundings<'_>) -> Vec<(&'static str, String)> {
    let file = around.secret_file;
    let mut all = vec![
        ("NOVA_DATABASE_PRIMARY", around.primary.to_string()),
        ("NOVA_DATABASE_REPLICAS", around.replicas.to_string()),
        ("NOVA_DATABASE_NAME", tenancy.database.clone()),
        ("NOVA_DATABASE_USER", tenancy.role.clone()),
        ("NOVA_DATABASE_PASSWORD_FILE", file(&tenancy.password)),
    ];
    if let Some(schema) = &tenancy.schema {
        all.extend([
            ("NOVA_DATABASE_SCHEMA", schema.name.clone()),
            ("NOVA_DATABASE_OWNER", schema.owner.clone()),
            ("NOVA_DATABASE_OWNER_PASSWORD_FILE", file(&schema.password)),
        ]);
    }
    all
}

fn redis(site: &dyn Site, around: &Surroundings<'_>) -> [(&'static str, String); 4] {
    let sentinels = host_ports(site, Kind::Sentinel, site.spec().redis.sentinel_port);
    [
        ("NOVA_REDIS_SENTINELS", join(&sentinels, ",")),
        ("NOVA_REDIS_MASTER", MASTER_NAME.to_owned()),
        ("NOVA_REDIS_PASSWORD_FILE", (around.secret_file)("redis")),
        (
            "NOVA_REDIS_SENTINEL_PASSWORD_FILE",
            (around.secret_file)("redis-sentinel"),
        ),
    ]
}

fn identity(around: &Surroundings<'_>) -> [(&'static str, String); 3] {
    let issuer = (around.door)(ISSUER);
    [
        ("NOVA_IDENTITY_JWKS_URL", format!("{issuer}/.well-known/jwks.json")),
        ("NOVA_IDENTITY_ISSUER", issuer),
        ("NOVA_IDENTITY_AUDIENCE", "nova".to_owned()),
    ]
}

/// Settings of calls: the platform's, one variable each, and `NOVA_CALLS` with what differs for single dependencies:
/// `DEPENDENCY.SETTING=VALUE`, separated by commas and sorted. Without differences there is no such variable.
fn calls(platform: &CallsSpec, service: &ServiceSpec) -> Vec<(String, String)> {
    let mut variables: Vec<(String, String)> = platform
        .settings()
        .into_iter()
        .map(|(flag, value)| (format!("NOVA_{}", flag.replace('-', "_").to_ascii_uppercase()), value))
        .collect();
    let mut differences: Vec<String> = service
        .calls
        .iter()
        .flat_map(|(dependency, own)| {
            let settings = own.settings().into_iter();
            settings.map(move |(flag, value)| format!("{dependency}.{flag}={value}"))
        })
        .collect();
    if !differences.is_empty() {
        differences.sort();
        variables.push(("NOVA_CALLS".to_owned(), differences.join(",")));
    }
    variables
}
