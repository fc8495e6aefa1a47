//! What follows from what a service says that it uses: what starts before it, whom it calls, and what it has in PostgreSQL. Its
//! environment, secrets and network flows are made from this, on every target.

use crate::components::{ComponentId, Served, facts};
use crate::spec::{ServiceSpec, Spec};

/// What a service has in PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenancy {
    /// The database that it logs in to.
    pub database: String,
    /// The role that it works with.
    pub role: String,
    /// The secret that is that role's password.
    pub password: String,
    /// Whether that role may read the stream of changes.
    pub replication: bool,
    /// What it owns there.
    pub schema: Option<OwnSchema>,
}

/// A schema of a service's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnSchema {
    /// The schema.
    pub name: String,
    /// The role that owns it and runs migrations.
    pub owner: String,
    /// The secret that is that role's password.
    pub password: String,
}

/// Whether services connect to a component: to the stores that serve them, and to each other.
#[must_use]
pub fn is_usable(id: &ComponentId) -> bool {
    matches!(id, ComponentId::Service(_)) || !facts(id).served.is_empty()
}

/// Whether a service uses a component.
#[must_use]
pub fn uses(service: &ServiceSpec, id: &ComponentId) -> bool {
    service.uses.contains(id)
}

/// The services that a service calls.
pub fn called(service: &ServiceSpec) -> impl Iterator<Item = &str> {
    service
        .uses
        .iter()
        .filter(|id| matches!(id, ComponentId::Service(_)))
        .map(ComponentId::as_str)
}

/// The services that call another one, by their names.
pub fn callers<'a>(spec: &'a Spec, other: &'a str) -> impl Iterator<Item = &'a str> {
    let calls = move |service: &ServiceSpec| called(service).any(|called| called == other);
    let all = spec.services.iter().filter(move |(_, service)| calls(service));
    all.map(|(name, _)| name.as_str())
}

/// What a service connects to of the stores that it uses.
pub fn served(service: &ServiceSpec) -> impl Iterator<Item = &'static Served> {
    service.uses.iter().flat_map(|id| facts(id).served)
}

/// What must have passed its checks before a member of a service starts: the stores that it uses and what leads to them. A service
/// that it calls may be down and come back, and two may call each other, so only what `needs` names is waited for of those.
#[must_use]
pub fn needs(service: &ServiceSpec) -> Vec<ComponentId> {
    let mut all: Vec<ComponentId> = Vec::new();
    let mut add = |id: &ComponentId| {
        if !all.contains(id) {
            all.push(id.clone());
        }
    };
    for used in &service.uses {
        if matches!(used, ComponentId::Service(_)) {
            add(&ComponentId::Gateway);
        } else {
            add(used);
            facts(used).served.iter().for_each(|served| add(&served.of));
        }
    }
    service.needs.iter().for_each(add);
    all
}

/// What a service has in PostgreSQL; `None` when it does not use it.
#[must_use]
pub fn tenancy(name: &str, service: &ServiceSpec) -> Option<Tenancy> {
    if !uses(service, &ComponentId::Postgres) {
        return None;
    }
    let database = service.database.clone()?;
    let role = format!("{}_app", role_stem(name, service));
    let password = format!("postgres-{name}");
    let schema = service.schema.as_ref().map(|schema| OwnSchema {
        name: schema.clone(),
        owner: format!("{schema}_owner"),
        password: format!("{password}-owner"),
    });
    Some(Tenancy {
        database,
        role,
        password,
        replication: service.replication,
        schema,
    })
}

/// What the roles of a service are named after: its schema, or itself when it has none.
#[must_use]
pub fn role_stem(name: &str, service: &ServiceSpec) -> String {
    service.schema.clone().unwrap_or_else(|| name.replace('-', "_"))
}

/// A service that reads the stream of changes and passes it on to Kafka, for tests.
#[cfg(test)]
pub(crate) const CHANGES: &str = r#"
[services.cdc-service]
members = 2
port = 8087
public = false
uses = ["postgres", "kafka"]
database = "nova_core"
replication = true
"#;

#[cfg(test)]
mod tests;
