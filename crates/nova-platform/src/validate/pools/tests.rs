//! Pools against what PostgreSQL and the gateway accept.

#![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

use crate::load::load;
use crate::spec::{ServiceSpec, Spec};
use crate::validate::{Findings, validate};

fn findings(change: impl FnOnce(&mut Spec)) -> Findings {
    let mut spec = load(None).unwrap().spec;
    change(&mut spec);
    validate(&spec)
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

#[test]
fn pools_must_fit_into_what_the_stores_accept() {
    let told = findings(|spec| auth(spec).database_pool = 74).problems;
    assert_eq!(told.len(), 1);
    assert!(
        told[0]
            .message
            .starts_with("the services' pools add up to 182 connections"),
        "{}",
        told[0].message
    );
    assert_eq!(
        told[0].help.as_deref(),
        Some("raise postgres.max_connections to 202, or lower database_pool or members")
    );
    let unscaled = |spec: &mut Spec| {
        auth(spec).database_pool = 73;
        spec.services.get_mut("user-service").unwrap().members_max = 0;
    };
    assert_eq!(warnings(unscaled), ["postgres.max_connections"]);
    let told = findings(|spec| spec.gateway.max_connections = 99).problems;
    assert_eq!(told.len(), 1);
    let keys: Vec<String> = told[0].keys.iter().map(ToString::to_string).collect();
    assert_eq!(
        keys[..2],
        ["gateway.max_connections", "services.auth-service.database_pool"]
    );
}

#[test]
fn pools_must_fit_once_load_has_raised_the_members_too() {
    // Ten members with ten connections, beside two with ten and two with two: 124, and 20 in reserve.
    assert_eq!(warnings(|spec| spec.postgres.max_connections = 144), [""; 0]);
    let told = findings(|spec| spec.postgres.max_connections = 143).problems;
    let keys: Vec<String> = told[0].keys.iter().map(ToString::to_string).collect();
    assert_eq!(
        keys,
        [
            "services.user-service.members_max",
            "services.auth-service.database_pool",
            "services.cdc-service.database_pool",
            "services.user-service.database_pool",
            "postgres.max_connections",
        ]
    );
    let expected = "once load has raised the services to members_max, their pools add up to 124 connections";
    assert!(told[0].message.starts_with(expected), "{}", told[0].message);
    assert_eq!(
        told[0].help.as_deref(),
        Some("raise postgres.max_connections to 144, or lower members_max or database_pool")
    );
    // A maximum below the members raises nothing.
    let unscaled = |spec: &mut Spec| {
        spec.postgres.max_connections = 143;
        spec.services.get_mut("user-service").unwrap().members_max = 1;
    };
    assert_eq!(warnings(unscaled), [""; 0]);
}
