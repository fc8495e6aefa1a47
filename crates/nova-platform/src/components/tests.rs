//! What must hold of every line of the table.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;

use super::{ComponentId, Stage, facts, facts_of_kind, ports};
use crate::load::load;
use crate::spec::Spec;

fn every(spec: &Spec) -> Vec<ComponentId> {
    let services = spec.services.keys().map(|name| ComponentId::service(name));
    ComponentId::OWN.into_iter().chain(services).collect()
}

#[test]
fn ports_belong_to_the_component_s_own_members_and_have_names_that_a_cluster_takes() {
    let spec = load(None).unwrap().spec;
    for id in every(&spec) {
        let groups = (facts(&id).groups)(&spec, &id);
        let all = ports(&spec, &id);
        assert!(!groups.is_empty() && !all.is_empty(), "{id}");
        let names: BTreeSet<_> = all
            .iter()
            .map(|port| (format!("{:?}", port.kind), port.name.clone()))
            .collect();
        assert_eq!(names.len(), all.len(), "{id}: two ports of one name");
        for port in &all {
            assert!(groups.iter().any(|group| group.kind == port.kind), "{id}: {port:?}");
            let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(port.name.len() <= 15 && port.name.chars().all(fits), "{id}: {port:?}");
        }
        for group in groups {
            assert!(
                std::ptr::fn_addr_eq(facts_of_kind(group.kind).ports, facts(&id).ports),
                "{id}"
            );
        }
    }
}

#[test]
fn whoever_may_connect_and_what_it_meets_exist() {
    let spec = load(None).unwrap().spec;
    let every = every(&spec);
    let workloads: BTreeSet<String> = every
        .iter()
        .flat_map(|id| (facts(id).groups)(&spec, id))
        .map(|group| group.prefix)
        .chain([ComponentId::Agent.to_string()])
        .collect();
    for id in &every {
        let all = ports(&spec, id);
        let is_there = |kind, names: &[&str]| {
            let found = |name: &&str| all.iter().any(|port| port.kind == kind && port.name == **name);
            names.iter().all(found)
        };
        for caller in facts(id).callers {
            assert!(workloads.contains(caller.from), "{id}: {caller:?}");
            assert!(is_there(caller.to, caller.ports), "{id}: {caller:?}");
        }
        for served in facts(id).served {
            let all = ports(&spec, &served.of);
            let is_there = |name: &&str| all.iter().any(|port| port.kind == served.to && port.name == **name);
            assert!(served.ports.iter().all(is_there), "{id}: {served:?}");
        }
    }
}

/// A component is removed after all that need it.
#[test]
fn removal_follows_needs() {
    let spec = load(None).unwrap().spec;
    let stage = |id: &ComponentId| Stage::ALL.iter().position(|stage| *stage == facts(id).removal).unwrap();
    for component in crate::topology::components(&spec) {
        for need in &component.needs {
            assert!(stage(&component.id) < stage(need), "{} needs {need}", component.id);
        }
    }
}

#[test]
fn what_keeps_data_can_be_full_and_only_that() {
    let spec = load(None).unwrap().spec;
    for id in every(&spec) {
        let facts = facts(&id);
        let drill = facts.drill.unwrap();
        assert_eq!(drill.disk_full, facts.keeps_data, "{id}");
        assert!(drill.switchover.is_none() || facts.leads.is_some(), "{id}");
        assert_eq!(facts.roles, facts.leads.is_some(), "{id}");
    }
}

#[test]
fn secrets_that_services_are_given_are_the_store_s_own() {
    for id in ComponentId::OWN {
        let facts = facts(&id);
        assert!(facts.given.iter().all(|name| facts.secrets.contains(name)), "{id}");
    }
}
