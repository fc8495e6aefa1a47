//! Orders, dependents and circles.

#![allow(clippy::unwrap_used, reason = "a test that fails there has found what it looks for")]

use proptest::prelude::*;

use super::{Graph, GraphError};
use crate::components::{ComponentId, names};
use crate::load::load;
use crate::topology;

fn pairs(components: &[(&str, &[&str])]) -> Vec<(ComponentId, Vec<ComponentId>)> {
    components
        .iter()
        .map(|(name, needs)| ((*name).into(), needs.iter().map(|need| (*need).into()).collect()))
        .collect()
}

#[test]
fn the_shipped_platform_starts_in_order() {
    let spec = load(None).unwrap().spec;
    let graph = Graph::of(&topology::components(&spec)).unwrap();
    assert_eq!(
        names(graph.order()),
        "etcd, postgres, redis, kafka, gateway, auth-service, cdc-service, user-service"
    );
    assert_eq!(graph.needs(&ComponentId::Postgres), [ComponentId::Etcd]);
    assert_eq!(
        names(graph.dependents(&ComponentId::Postgres)),
        "gateway, auth-service, cdc-service, user-service"
    );
    assert_eq!(graph.dependents(&ComponentId::Etcd), [&ComponentId::Postgres]);
    assert_eq!(
        names(graph.all_dependents(&ComponentId::Etcd)),
        "postgres, gateway, auth-service, cdc-service, user-service"
    );
    assert_eq!(names(graph.all_dependents(&ComponentId::Kafka)), "cdc-service");
    assert!(graph.needs(&ComponentId::service("nothing")).is_empty());
}

#[test]
fn needs_come_first_wherever_they_stand() {
    let graph = Graph::new(&pairs(&[("a", &["c"]), ("b", &[]), ("c", &["b"])])).unwrap();
    assert_eq!(names(graph.order()), "b, c, a");
}

#[test]
fn circles_are_shown_whole_and_without_what_only_leads_to_them() {
    let error = Graph::new(&pairs(&[("x", &["a"]), ("a", &["b"]), ("b", &["c"]), ("c", &["a"])])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "needs go round in a circle, so none of these could start: a -> b -> c -> a"
    );
    let error = Graph::new(&pairs(&[("a", &["a"])])).unwrap_err();
    assert_eq!(
        error,
        GraphError::Circular {
            cycle: vec!["a".into(), "a".into()]
        }
    );
}

#[test]
fn unknown_needs_and_doubles_are_refused() {
    let error = Graph::new(&pairs(&[("postgres", &[]), ("a", &["postgress"])])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a needs \"postgress\", and there is no such component: did you mean \"postgres\"?"
    );
    let error = Graph::new(&pairs(&[("a", &[]), ("a", &[])])).unwrap_err();
    assert_eq!(error, GraphError::Duplicate { name: "a".into() });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_order_has_all_needs_before_and_a_circle_is_one(edges in proptest::collection::vec((0_usize..8, 0_usize..8), 0..14)) {
        let needs = |node| edges.iter().filter(move |(from, _)| *from == node).map(|(_, to)| ComponentId::service(&to.to_string())).collect();
        let components: Vec<(ComponentId, Vec<ComponentId>)> = (0..8).map(|node: usize| (ComponentId::service(&node.to_string()), needs(node))).collect();
        match Graph::new(&components) {
            Ok(graph) => {
                prop_assert_eq!(graph.order().len(), 8);
                for (index, name) in graph.order().iter().enumerate() {
                    prop_assert!(graph.needs(name).iter().all(|need| graph.order()[..index].contains(need)));
                }
            }
            Err(GraphError::Circular { cycle }) => {
                prop_assert!(cycle.len() >= 2);
                prop_assert_eq!(cycle.first(), cycle.last());
                for step in cycle.windows(2) {
                    let edge = (step[0].as_str().parse().unwrap(), step[1].as_str().parse().unwrap());
                    prop_assert!(edges.contains(&edge));
                }
            }
            Err(other) => prop_assert!(false, "{}", other),
        }
    }
}
