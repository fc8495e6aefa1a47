//! Connection pools against what PostgreSQL and the gateway accept.

use crate::components::ComponentId;
use crate::key::Key;
use crate::spec::{ServiceSpec, Spec};
use crate::uses::uses;

use super::Findings;

/// Connections that PostgreSQL must have left when every pool is full: three for superusers, Patroni's, one migration a
/// service, the checks', and a person's shell.
const RESERVE: u64 = 20;

pub(super) fn check(spec: &Spec, findings: &mut Findings) {
    let of = |members: fn(&ServiceSpec) -> u16| -> u64 {
        let users = spec
            .services
            .values()
            .filter(|service| uses(service, &ComponentId::Postgres));
        users
            .map(|service| u64::from(members(service)) * u64::from(service.database_pool))
            .sum()
    };
    let pools = of(|service| service.members);
    let scaled = of(ServiceSpec::most_members);
    let accepted = u64::from(spec.postgres.max_connections);
    let keys_of = |name: &'static str| {
        let users = spec
            .services
            .iter()
            .filter(|(_, service)| uses(service, &ComponentId::Postgres));
        users.map(move |(service, _)| Key::service(service).child(name))
    };
    let keys = || keys_of("database_pool").chain(keys_of("members"));
    if pools + RESERVE > accepted {
        findings.problem_with_help(
            keys().chain([Key::new("postgres.max_connections")]),
            format!(
                "the services' pools add up to {pools} connections to the primary, which with {RESERVE} in reserve is more \
                 than postgres.max_connections, {accepted}"
            ),
            format!("raise postgres.max_connections to {}, or lower database_pool or members", pools + RESERVE),
        );
    } else if scaled + RESERVE > accepted {
        let raised = spec
            .services
            .iter()
            .filter(|(_, service)| uses(service, &ComponentId::Postgres))
            .filter(|(_, service)| service.most_members() > service.members);
        let raised = raised.map(|(name, _)| Key::service(name).child("members_max"));
        findings.problem_with_help(
            raised
                .chain(keys_of("database_pool"))
                .chain([Key::new("postgres.max_connections")]),
            format!(
                "once load has raised the services to members_max, their pools add up to {scaled} connections to the primary, \
                 which with {RESERVE} in reserve is more than postgres.max_connections, {accepted}"
            ),
            format!(
                "raise postgres.max_connections to {}, or lower members_max or database_pool",
                scaled + RESERVE
            ),
        );
    } else if 2 * pools + RESERVE > accepted {
        findings.warning(
            "postgres.max_connections",
            format!(
                "while no replica is up, its readers come to the leader too: {} connections and {RESERVE} in reserve are \
                 more than {accepted}, so some requests would be refused then",
                2 * pools
            ),
        );
    }
    let gateway = u64::from(spec.gateway.max_connections);
    if 2 * pools > gateway {
        findings.problem(
            [Key::new("gateway.max_connections")].into_iter().chain(keys()),
            format!(
                "gateway.max_connections is {gateway}: the services' pools alone take {} connections, to the primary and to \
                 the replicas",
                2 * pools
            ),
        );
    }
}

#[cfg(test)]
mod tests;
