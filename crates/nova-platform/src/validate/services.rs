//! What services say of each other: what they use and need, schemas, environment.

mod uses;

use std::collections::BTreeMap;

use crate::components::{ComponentId, names};
use crate::graph::{Graph, GraphError, circle};
use crate::key::Key;
use crate::spec::{ServiceSpec, Spec};
use crate::suggestion::closest;
use crate::uses::role_stem;

use super::Findings;

pub(super) fn check(spec: &Spec, findings: &mut Findings) {
    needs(spec, findings);
    let mut schemas: BTreeMap<String, &str> = BTreeMap::new();
    for (name, service) in &spec.services {
        uses::check(spec, name, service, findings);
        // Roles are named after the schema and are one set for the whole server, so even another database does not help.
        if service.database.is_some()
            && let Some(other) = schemas.insert(role_stem(name, service), name)
        {
            same_roles(spec, name, other, findings);
        }
        environment(name, service, findings);
    }
}

fn same_roles(spec: &Spec, name: &str, other: &str, findings: &mut Findings) {
    let schema = |name: &str| spec.services.get(name).and_then(|service| service.schema.as_deref());
    let key = |name: &str| Key::service(name).child("schema");
    match (schema(name), schema(other)) {
        (Some(own), Some(_)) => findings.problem(
            [key(name), key(other)],
            format!("{name} and {other} both have the schema {own:?}: no service can read another's tables"),
        ),
        (own, others) => {
            let (bare, named) = if own.is_none() { (name, other) } else { (other, name) };
            let schema = own.or(others).unwrap_or_default();
            findings.problem(
                [key(named), Key::service(bare)],
                format!(
                    "{bare} has no schema, so its role is named after itself, which the role of {named} is by its schema {schema:?}"
                ),
            );
        }
    }
}

fn needs(spec: &Spec, findings: &mut Findings) {
    let components: Vec<(ComponentId, Vec<ComponentId>)> = stores_of(spec)
        .into_iter()
        .chain(
            spec.services
                .iter()
                .map(|(name, service)| (ComponentId::service(name), service.needs.clone())),
        )
        .collect();
    let known: Vec<&ComponentId> = components.iter().map(|(id, _)| id).collect();
    let mut unknown = false;
    for (name, service) in &spec.services {
        let key = Key::service(name).child("needs");
        for (index, need) in service.needs.iter().enumerate() {
            if !known.contains(&need) {
                unknown = true;
                let help = closest(need.as_str(), known.iter().map(|id| id.as_str())).map_or_else(
                    || format!("the components are {}", names(known.iter().copied())),
                    |near| format!("did you mean {near:?}?"),
                );
                findings.problem_with_help(
                    [key.clone()],
                    format!("{name} needs \"{need}\", and there is no such component"),
                    help,
                );
            } else if service.needs[..index].contains(need) {
                findings.problem([key.clone()], format!("{name} needs \"{need}\" twice"));
            }
        }
    }
    if unknown {
        return;
    }
    if let Err(GraphError::Circular { cycle }) = Graph::new(&components) {
        let keys: Vec<Key> = cycle
            .iter()
            .take(cycle.len().saturating_sub(1))
            .map(|id| Key::service(id.as_str()).child("needs"))
            .collect();
        findings.problem(
            keys,
            format!(
                "needs go round in a circle, so none of these could start: {}",
                circle(&cycle)
            ),
        );
    }
}

/// The components that are not services, with an empty set of services put in their place.
fn stores_of(spec: &Spec) -> Vec<(ComponentId, Vec<ComponentId>)> {
    let mut stores = spec.clone();
    stores.services.clear();
    // Only names and needs are of interest; an absurd number of members would take time and memory.
    stores.etcd.members = 1;
    stores.postgres.members = 1;
    stores.redis.members = 1;
    stores.redis.sentinels = 1;
    stores.kafka.members = 1;
    crate::topology::components(&stores)
        .into_iter()
        .map(|component| (component.id, component.needs))
        .collect()
}

fn environment(name: &str, service: &ServiceSpec, findings: &mut Findings) {
    let table = Key::service(name).child("env");
    for (variable, value) in &service.env {
        let key = table.child(variable);
        let fits = variable.strip_prefix("NOVA_").is_some_and(|rest| {
            !rest.is_empty()
                && rest
                    .chars()
                    .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
        });
        if !fits {
            findings.problem_with_help(
                [key],
                format!("{variable:?} is not a setting of a service"),
                "settings begin with NOVA_ and have upper-case letters, digits and underscores only; the service's --help lists them",
            );
        } else if value.contains('\0') {
            findings.problem(
                [key],
                format!("the value of {variable} holds a NUL character, which no environment can carry"),
            );
        }
    }
}
