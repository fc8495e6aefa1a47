//! Names and addresses: what becomes a directory, a system user, a member or a PostgreSQL object must be spelt as one.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::components::ComponentId;
use crate::key::Key;
use crate::spec::Spec;
use crate::topology::{self, NODES};

use super::Findings;

/// Words that commands take in a component's place, and words that secrets are named after (as is `-owner`).
const RESERVED: [&str; 9] = [
    "sentinel",
    // Secrets of the operator's, beside the services' own on Kubernetes.
    "apns",
    "turn",
    "tls",
    "all",
    "node",
    "superuser",
    "replication",
    "rewind",
];

pub(super) fn check(spec: &Spec, findings: &mut Findings) {
    let name = &spec.platform.name;
    if !is_name(name) {
        findings.problem(
            [Key::new("platform.name")],
            format!("the platform's name {name:?} must be a lower-case letter followed by at most 30 lower-case letters, digits or dashes"),
        );
    }
    user(spec, findings);
    addresses(spec, findings);
    origins(spec, findings);
    components(spec, findings);
    for (name, service) in &spec.services {
        let key = Key::service(name);
        if !is_name(name) {
            findings.problem(
                [key.clone()],
                format!("the service's name {name:?} must be a lower-case letter followed by at most 30 lower-case letters, digits or dashes"),
            );
        }
        database_names(&key, service.database.as_deref(), service.schema.as_deref(), findings);
    }
}

fn user(spec: &Spec, findings: &mut Findings) {
    let (user, key) = (&spec.local.user, Key::new("local.user"));
    if user == "root" {
        findings.problem(
            [key],
            "members cannot run as root: PostgreSQL refuses to start, and every other member could change the whole machine",
        );
    } else if !starts_with_letter_then(user, 31, |c| c == '_' || c == '-') {
        findings.problem(
            [key],
            format!("{user:?} is not a system user's name: a lower-case letter followed by at most 31 lower-case letters, digits, dashes or underscores"),
        );
    }
}

fn addresses(spec: &Spec, findings: &mut Findings) {
    let (network, network_key) = (&spec.local.network, Key::new("local.network"));
    let node = |number: u16| format!("{network}.{number}").parse::<Ipv4Addr>().ok();
    if node(1).is_none_or(|address| !address.is_loopback()) || network.split('.').count() != 3 {
        findings.problem(
            [network_key.clone()],
            format!("{network:?} is not the first three octets of a loopback network such as \"127.77.0\""),
        );
    }
    let (gateway, gateway_key) = (&spec.local.gateway_address, Key::new("local.gateway_address"));
    match gateway.parse::<Ipv4Addr>() {
        Ok(address) if !address.is_loopback() => findings.problem(
            [gateway_key],
            format!("{gateway} is not a loopback address (127.x.y.z): the local target must not be reachable from other machines"),
        ),
        Ok(address) => {
            if let Some(number) = (1..=NODES).find(|number| node(*number) == Some(address)) {
                findings.problem(
                    [gateway_key, network_key],
                    format!("{gateway} is the address of node-{number} as well: the gateway needs one of its own"),
                );
            }
        }
        Err(_) => findings.problem(
            [gateway_key],
            format!("{gateway:?} is not a loopback IPv4 address such as \"127.0.0.1\""),
        ),
    }
}

/// A browser sends its page's origin in one spelling, and services compare bytes.
fn origins(spec: &Spec, findings: &mut Findings) {
    for origin in spec.gateway.origins.iter().filter(|origin| !is_origin(origin)) {
        findings.problem(
            [Key::new("gateway.origins")],
            format!(
                "{origin:?} is not the origin of a page as a browser sends it: scheme, host in lower case and a port that is not the \
                 scheme's own, such as \"https://nova.example\" or \"http://localhost:3000\""
            ),
        );
    }
}

fn is_origin(origin: &str) -> bool {
    let (rest, own_port) = match origin.split_once("://") {
        Some(("https", rest)) => (rest, "443"),
        Some(("http", rest)) => (rest, "80"),
        _ => return false,
    };
    let (host, port) = match rest.rsplit_once(':') {
        // The colons of an IPv6 address stand inside brackets.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (rest, None),
    };
    let name = |host: &str| {
        let plausible = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-';
        !host.is_empty() && host.chars().all(plausible)
    };
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host = bracketed.map_or_else(|| name(host), |host| host.parse::<Ipv6Addr>().is_ok());
    let port = port.is_none_or(|port| {
        port != own_port && !port.starts_with('0') && port.parse::<u16>().is_ok_and(|number| number.to_string() == port)
    });
    host && port
}

/// Commands take a component's or a member's name, so no two may be equal.
fn components(spec: &Spec, findings: &mut Findings) {
    // Members beyond the nodes are refused elsewhere; an absurd number must not be listed here.
    let mut few = spec.clone();
    let limit = |members: &mut u16| *members = (*members).min(NODES);
    limit(&mut few.etcd.members);
    limit(&mut few.postgres.members);
    limit(&mut few.redis.members);
    limit(&mut few.redis.sentinels);
    limit(&mut few.kafka.members);
    few.services
        .values_mut()
        .for_each(|service| limit(&mut service.members));

    let all = topology::components(&few);
    for name in spec.services.keys() {
        let others = all.iter().filter(|component| component.id.as_str() != *name);
        let taken: BTreeSet<&str> = others
            .flat_map(|component| &component.members)
            .map(|member| member.name.as_str())
            .collect();
        // `-owner` is a secret of each service's, `-members` a Service of each on a cluster.
        let of_another = name.ends_with("-owner") || name.ends_with("-members");
        let of_nova = !matches!(ComponentId::from(name.as_str()), ComponentId::Service(_));
        let reserved = of_nova || RESERVED.contains(&name.as_str()) || name.starts_with("node-") || of_another;
        if reserved {
            findings.problem(
                [Key::service(name)],
                format!("a service cannot be called {name:?}: nova uses that name itself"),
            );
        } else if taken.contains(name.as_str()) {
            findings.problem(
                [Key::service(name)],
                format!("a service cannot be called {name:?}: a member has that name"),
            );
        }
    }
}

fn database_names(service: &Key, database: Option<&str>, schema: Option<&str>, findings: &mut Findings) {
    if let Some(database) = database {
        database_name(service.child("database"), database, findings);
    }
    if let Some(schema) = schema {
        schema_name(service.child("schema"), schema, findings);
    }
}

fn database_name(database_key: Key, database: &str, findings: &mut Findings) {
    if !is_identifier(database, 63) {
        findings.problem([database_key], not_identifier("database", database, 63));
    } else if ["postgres", "template0", "template1"].contains(&database) {
        findings.problem(
            [database_key],
            format!("{database:?} is PostgreSQL's own database: a service needs another"),
        );
    }
}

fn schema_name(schema_key: Key, schema: &str, findings: &mut Findings) {
    // Room for the roles' names, `<schema>_owner` and `<schema>_app`.
    if !is_identifier(schema, 57) {
        findings.problem([schema_key], not_identifier("schema", schema, 57));
    } else if schema.starts_with("pg_") || ["public", "information_schema"].contains(&schema) {
        findings.problem(
            [schema_key],
            format!("{schema:?} is PostgreSQL's own schema: a service needs one that it alone reads"),
        );
    }
}

fn not_identifier(what: &str, name: &str, longest: usize) -> String {
    format!(
        "the {what}'s name {name:?} must be a lower-case letter followed by lower-case letters, digits or underscores, \
         at most {longest} in all"
    )
}

fn is_name(name: &str) -> bool {
    starts_with_letter_then(name, 30, |c| c == '-')
}

fn is_identifier(name: &str, longest: usize) -> bool {
    starts_with_letter_then(name, longest - 1, |c| c == '_')
}

fn starts_with_letter_then(name: &str, at_most: usize, also: impl Fn(char) -> bool) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|c| c.is_ascii_lowercase())
        && name.len() <= at_most + 1
        && characters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || also(c))
}
