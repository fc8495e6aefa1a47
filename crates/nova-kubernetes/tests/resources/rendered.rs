//! What stands in the repository is what nova renders, and what it renders is what it applies.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use nova_kubernetes::images::Images;
use nova_kubernetes::profile::Profile;
use nova_kubernetes::render;
use nova_kubernetes::resources::manifests;
use serde_json::Value;

use crate::objects::{objects, place, spec};

fn directory(profile: Profile) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../deploy/rendered")
        .join(profile.name())
}

#[test]
fn the_repository_holds_what_is_rendered() {
    for profile in Profile::ALL {
        let files = render::files(&spec("nova"), profile, &Images::released()).unwrap();
        let there: BTreeSet<String> = fs::read_dir(directory(profile))
            .expect("deploy/rendered is there; run `nova render`")
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(
            there,
            files.keys().map(|file| (*file).to_owned()).collect(),
            "run `nova render` and commit what it writes"
        );
        for (file, text) in files {
            let written = fs::read_to_string(directory(profile).join(file)).unwrap();
            let differ = written
                .lines()
                .zip(text.lines())
                .position(|(written, rendered)| written != rendered);
            assert!(
                written == text,
                "deploy/rendered/{}/{file} is not what the description says (from line {}): run `nova render` and commit what it writes",
                profile.name(),
                differ.map_or(0, |line| line + 1)
            );
        }
    }
}

#[test]
fn what_is_rendered_is_what_is_applied() {
    let spec = spec("nova");
    for profile in Profile::ALL {
        let sorted = |mut objects: Vec<Value>| {
            objects.sort_by_key(|object| (object["kind"].to_string(), place(object)));
            objects
        };
        let applied = manifests(&spec, profile, &Images::released())
            .into_iter()
            .map(|manifest| manifest.object)
            .collect();
        let mut rendered = objects(&spec, profile);
        rendered.retain(|object| object["kind"] != "Secret" && object["kind"] != "Kustomization");
        assert_eq!(sorted(rendered), sorted(applied));
    }
}

#[test]
fn no_object_is_there_twice_and_none_has_a_null_or_a_status() {
    fn has_null(value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::Array(items) => items.iter().any(has_null),
            Value::Object(fields) => fields
                .iter()
                .any(|(name, field)| name == "creationTimestamp" || has_null(field)),
            _ => false,
        }
    }
    let manifests = manifests(&spec("nova"), Profile::Production, &Images::released());
    let mut seen = BTreeSet::new();
    for manifest in &manifests {
        let object = &manifest.object;
        assert!(object["apiVersion"].is_string() && object["kind"].is_string());
        assert!(
            seen.insert((object["kind"].to_string(), place(object))),
            "{} twice",
            place(object)
        );
        assert!(!has_null(object) && object.get("status").is_none(), "{object}");
    }
    let components: BTreeSet<&str> = manifests.iter().map(|manifest| manifest.component.as_str()).collect();
    let expected = [
        "agent",
        "auth-service",
        "cdc-service",
        "etcd",
        "foundation",
        "gateway",
        "kafka",
        "postgres",
        "redis",
        "user-service",
    ];
    assert_eq!(components, BTreeSet::from(expected));
}
