//! A member of a Nova service: the program as built, told by its environment where everything is.

use std::time::Duration;

use nova_platform::endpoints::HostPort;
use nova_platform::secrets::{client_secret, clients};
use nova_platform::topology::{Kind, Member};

use super::redis::MASTER_NAME;
use super::{OPERATIONS_OFFSET, PlanError, Site, address, base_plan, calls, join};
use crate::plan::MemberPlan;

/// The service that signs everybody's tokens.
const ISSUER: &str = "auth-service";
const ISSUER_PORT: u16 = 8084;
/// The service that is told of deleted accounts.
const USERS: &str = "user-service";

pub(super) fn plan(site: &Site<'_>, member: &Member) -> Result<MemberPlan, PlanError> {
    let missing = || PlanError::NoProgram(member.component.clone());
    let service = site.spec.services.get(&member.component).ok_or_else(missing)?;
    let program = site.services.get(&member.component).ok_or_else(missing)?;
    let node = address(site.spec, member);
    let (api, operations) = (
        HostPort::new(&node, service.port),
        HostPort::new(&node, service.port + OPERATIONS_OFFSET),
    );
    let mut plan = base_plan(member, program);
    let mut set = |name: &str, value: String| plan.env.insert(name.to_owned(), value);

    set("NOVA_LISTEN", api.to_string());
    set("NOVA_OPERATIONS_LISTEN", operations.to_string());
    set("NOVA_LOG_FORMAT", "json".to_owned());
    for (name, value) in database(site, &member.component)
        .into_iter()
        .chain(redis(site))
        .chain(identity(site))
    {
        set(name, value);
    }
    set("NOVA_DATABASE_POOL", service.database_pool.to_string());
    set("NOVA_REDIS_POOL", service.redis_pool.to_string());
    for (name, value) in calls::environment(&site.spec.calls, service) {
        set(&name, value);
    }
    if member.component == ISSUER {
        set("NOVA_AUTH_SIGNING_KEYS_FILE", secret_file(site, "auth-signing-key"));
        // Members share the machine here. More hashes at a time than cores take turns, and each turn begins with another
        // hash's 19 MiB in the caches.
        let threads = (site.cores / usize::from(service.members).max(1)).max(1);
        set("NOVA_AUTH_HASH_THREADS", threads.to_string());
        set("NOVA_AUTH_CLIENTS", client_files(site));
        if let Some(users) = site.spec.services.get(USERS) {
            set("NOVA_USER_SERVICE_URL", door(site, users.port));
        }
    } else {
        // Its own secret and no other's.
        let own = client_secret(&member.component);
        set("NOVA_CLIENT_SECRET_FILE", secret_file(site, &own));
        set("NOVA_AUTH_SERVICE_URL", issuer(site));
    }
    // An idle service stays small: few arenas, and freed blocks go back to the system.
    set("MALLOC_ARENA_MAX", "2".to_owned());
    set("MALLOC_MMAP_THRESHOLD_", "131072".to_owned());
    set("MALLOC_TRIM_THRESHOLD_", "131072".to_owned());
    plan.env.extend(service.env.clone());

    plan.ports = vec![api, operations];
    plan.stop_grace = Duration::from_secs(30);
    Ok(plan)
}

fn secret_file(site: &Site<'_>, name: &str) -> String {
    site.secret_file(name).display().to_string()
}

/// Every service's name and the file of its secret: the issuer has to know them all.
fn client_files(site: &Site<'_>) -> String {
    clients(site.spec)
        .map(|service| format!("{service}={}", secret_file(site, &client_secret(service))))
        .collect::<Vec<_>>()
        .join(",")
}

/// Where the gateway leads to a service: services call each other there, as everyone does.
fn door(site: &Site<'_>, port: u16) -> String {
    format!("http://{}:{port}", site.spec.local.gateway_address)
}

fn issuer(site: &Site<'_>) -> String {
    let service = site.spec.services.get(ISSUER);
    door(site, service.map_or(ISSUER_PORT, |service| service.port))
}

fn database(site: &Site<'_>, component: &str) -> Vec<(&'static str, String)> {
    let (spec, own) = (&site.spec.gateway, &site.spec.local.gateway_address);
    let Some(service) = site.spec.services.get(component) else {
        return Vec::new();
    };
    vec![
        ("NOVA_DATABASE_PRIMARY", format!("{own}:{}", spec.primary_port)),
        ("NOVA_DATABASE_REPLICAS", format!("{own}:{}", spec.replicas_port)),
        ("NOVA_DATABASE_NAME", service.database.clone()),
        ("NOVA_DATABASE_SCHEMA", service.schema.clone()),
        ("NOVA_DATABASE_USER", format!("{}_app", service.schema)),
        (
            "NOVA_DATABASE_PASSWORD_FILE",
            secret_file(site, &format!("postgres-{component}")),
        ),
        ("NOVA_DATABASE_OWNER", format!("{}_owner", service.schema)),
        (
            "NOVA_DATABASE_OWNER_PASSWORD_FILE",
            secret_file(site, &format!("postgres-{component}-owner")),
        ),
    ]
}

fn redis(site: &Site<'_>) -> [(&'static str, String); 4] {
    [
        (
            "NOVA_REDIS_SENTINELS",
            join(&site.host_ports(Kind::Sentinel, site.spec.redis.sentinel_port), ","),
        ),
        ("NOVA_REDIS_MASTER", MASTER_NAME.to_owned()),
        ("NOVA_REDIS_PASSWORD_FILE", secret_file(site, "redis")),
        ("NOVA_REDIS_SENTINEL_PASSWORD_FILE", secret_file(site, "redis-sentinel")),
    ]
}

fn identity(site: &Site<'_>) -> [(&'static str, String); 3] {
    let issuer = issuer(site);
    [
        ("NOVA_IDENTITY_JWKS_URL", format!("{issuer}/.well-known/jwks.json")),
        ("NOVA_IDENTITY_ISSUER", issuer),
        ("NOVA_IDENTITY_AUDIENCE", "nova".to_owned()),
    ]
}
