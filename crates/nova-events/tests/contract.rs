//! The contract: what is committed is what is written, and readers of it go on reading.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use nova_events::schema::{breaks, schemas};
use nova_events::topics::{accounts::AccountEvent, graph::GraphEvent, posts::PostEvent, profiles::ProfileEvent};
use nova_events::{Event, TOPICS};
use serde_json::{Value, json};

fn committed() -> Vec<(String, Value)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            let name = name.strip_suffix(".schema.json").unwrap().to_owned();
            (name, serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap())
        })
        .collect()
}

#[test]
fn no_event_breaks_a_reader_of_the_version_before() {
    let now = schemas();
    for (name, before) in committed() {
        let (_, now) = now
            .iter()
            .find(|(kind, _)| *kind == name)
            .unwrap_or_else(|| panic!("{name} is told no more: as long as such events are kept, somebody reads them"));
        assert_eq!(breaks(&before, now), Vec::<String>::new(), "{name}: make it a new type");
    }
}

#[test]
fn what_is_committed_is_what_is_written() {
    let committed = committed();
    for (name, now) in schemas() {
        let (_, before) = committed.iter().find(|(kind, _)| kind == name).unwrap_or_else(|| {
            panic!("{name} has no schema yet: cargo run --release -p nova-events --example schemas")
        });
        assert_eq!(
            *before, now,
            "{name}: cargo run --release -p nova-events --example schemas"
        );
    }
}

#[test]
fn a_change_that_breaks_readers_is_found() {
    let (_, before) = schemas().remove(0);
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut now = before.clone();
        change(&mut now);
        breaks(&before, &now)
    };
    assert_eq!(changed(&|_| ()), Vec::<String>::new());
    assert_eq!(
        changed(&|now| now["properties"]["nickname"] = json!({"type": "string"})),
        Vec::<String>::new(),
        "what may be missing may be added"
    );
    let breaking: [&dyn Fn(&mut Value); 5] = [
        &|now| now["properties"]["email"] = json!({"type": "integer"}),
        &|now| now["properties"]["created_at"]["format"] = json!("date"),
        &|now| now["required"] = json!(["account_id", "created_at"]),
        &|now| now["required"] = json!(["account_id", "email", "created_at", "nickname"]),
        &|now| now["additionalProperties"] = json!(false),
    ];
    for (which, change) in breaking.iter().enumerate() {
        assert_eq!(changed(change).len(), 1, "change {which}");
    }
}

#[test]
fn what_is_not_known_is_passed_over() {
    let id = "019ac000-0000-7000-8000-000000000001";
    let body = json!({"account_id": id, "why": "a field of the version after"}).to_string();
    let event = AccountEvent::decode("nova.accounts.deleted.v1", body.as_bytes())
        .unwrap()
        .unwrap();
    assert_eq!(
        (event.kind(), event.subject().as_str()),
        ("nova.accounts.deleted.v1", id)
    );
    assert_eq!(AccountEvent::decode("nova.accounts.deleted.v9", b"{}").unwrap(), None);
    let error = AccountEvent::decode("nova.accounts.deleted.v1", b"{}").unwrap_err();
    assert!(error.to_string().contains("account_id"), "{error}");
}

#[test]
fn names_are_unique_and_types_belong_to_their_topic() {
    let names: BTreeSet<_> = TOPICS.iter().map(|topic| topic.name).collect();
    assert_eq!(names.len(), TOPICS.len());
    fn belongs<E: Event>() {
        for kind in E::TYPES {
            assert!(
                kind.starts_with(&format!("{}.", E::TOPIC.name)),
                "{kind} in {}",
                E::TOPIC.name
            );
        }
    }
    belongs::<AccountEvent>();
    belongs::<ProfileEvent>();
    belongs::<PostEvent>();
    belongs::<GraphEvent>();
}
