//! Differences, their classes, and that no setting is without one.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use serde_json::json;

use super::*;
use crate::load::load;
use crate::transition::ATTRIBUTE;

fn shipped() -> Spec {
    load(None).unwrap().spec
}

fn after(change: impl FnOnce(&mut Spec), place: Place) -> Vec<(String, Class)> {
    let before = serde_json::to_value(shipped()).unwrap();
    let mut spec = shipped();
    change(&mut spec);
    let found = changes(&before, &spec, place);
    found.into_iter().map(|change| (change.setting, change.class)).collect()
}

#[test]
fn what_is_the_same_is_no_change() {
    assert_eq!(after(|_| {}, Place::Local), []);
}

#[test]
fn a_change_has_the_class_of_its_setting() {
    let mut found = after(
        |spec| {
            spec.redis.appendonly = false;
            spec.postgres.max_connections = 150;
            spec.postgres.max_wal_size.0 *= 2;
            spec.kafka.replication_factor = 1;
        },
        Place::Local,
    );
    found.sort();
    let expected = [
        ("kafka.replication_factor", Class::Refused),
        ("postgres.max_connections", Class::Rolling),
        ("postgres.max_wal_size", Class::Live),
        ("redis.appendonly", Class::Staged),
    ];
    assert_eq!(found, expected.map(|(name, class)| (name.to_owned(), class)));
}

#[test]
fn services_and_what_they_name_may_be_new_or_gone() {
    let found = after(
        |spec| {
            let service = spec.services.remove("auth-service").unwrap();
            spec.services.insert("chat-service".to_owned(), service);
            let users = spec.services.get_mut("user-service").unwrap();
            users.env.insert("NOVA_LOG".to_owned(), "debug".to_owned());
        },
        Place::Local,
    );
    let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "services.chat-service",
            "services.user-service.env.NOVA_LOG",
            "services.auth-service"
        ]
    );
    assert!(found.iter().all(|(_, class)| *class == Class::Rolling));
}

#[test]
fn a_setting_of_another_place_or_version_changes_nothing() {
    let change = |spec: &mut Spec| {
        spec.local.network = "127.9.9".to_owned();
        spec.kubernetes.volumes.redis.0 *= 2;
        spec.services.get_mut("user-service").unwrap().cpu = 1;
    };
    let names = |place| {
        let found = after(change, place).into_iter();
        found.map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(names(Place::Local), ["local.network"]);
    assert_eq!(
        names(Place::Kubernetes),
        ["kubernetes.volumes.redis", "services.user-service.cpu"]
    );

    let older = json!({"redis": {"forgotten": 1, "appendonly": true}});
    assert_eq!(changes(&older, &shipped(), Place::Local), []);
}

#[test]
fn a_volume_that_shrinks_and_members_that_cannot_join_are_refused_and_the_other_way_is_not() {
    let class = |change: fn(&mut Spec), place| after(change, place)[0].1;
    let grows = |spec: &mut Spec| spec.kubernetes.volumes.redis.0 *= 2;
    let shrinks = |spec: &mut Spec| spec.kubernetes.volumes.redis.0 /= 2;
    assert_eq!(class(grows, Place::Kubernetes), Class::Staged);
    assert_eq!(class(shrinks, Place::Kubernetes), Class::Refused);
    assert_eq!(class(|spec| spec.redis.sentinels = 5, Place::Local), Class::Rolling);
    assert_eq!(class(|spec| spec.redis.sentinels = 1, Place::Local), Class::Refused);
    assert_eq!(class(|spec| spec.etcd.members = 5, Place::Kubernetes), Class::Refused);
}

/// Walks the schema: a setting is a property that is no table.
#[test]
fn no_setting_is_without_a_class() {
    let schema = json_schema();
    let mut missing = Vec::new();
    let mut count = 0;
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        let properties = definition["properties"].as_object();
        for (setting, property) in properties.into_iter().flatten() {
            let below = crate::transition::class::resolved(&schema, property);
            if below.get("properties").is_some() {
                continue;
            }
            count += 1;
            let class = property.get(ATTRIBUTE).cloned().unwrap_or_default();
            if serde_json::from_value::<Class>(class).is_err() {
                missing.push(format!("{name}.{setting}"));
            }
        }
    }
    assert!(count > 80, "{count}");
    assert!(
        missing.is_empty(),
        "without #[schemars(extend(\"{ATTRIBUTE}\" = ...))]: {missing:?}"
    );
}

#[test]
fn every_setting_of_the_shipped_description_is_found_in_the_schema_by_its_path() {
    fn walk(at: &Key, value: &Value, schema: &Value, missing: &mut Vec<String>) {
        match value {
            Value::Object(table) if !table.is_empty() => {
                for (name, value) in table {
                    walk(&at.child(name), value, schema, missing);
                }
            }
            _ if class_of(schema, at).is_none() => missing.push(at.to_string()),
            _ => {}
        }
    }
    let mut missing = Vec::new();
    let spec = serde_json::to_value(shipped()).unwrap();
    walk(&Key::default(), &spec, &json_schema(), &mut missing);
    assert_eq!(missing, Vec::<String>::new());
}
