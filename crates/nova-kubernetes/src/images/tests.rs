//! Names of whole sets of images, and which of them are loaded.

use std::fs;

use super::load::is_wanted;
use super::*;

/// A directory with something under the name of each of Nova's programs.
fn programs(spec: &Spec) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let own = ["nova", "nova-member"].into_iter();
    for name in own.chain(spec.services.keys().map(String::as_str)) {
        fs::write(directory.path().join(name), name).expect("writable");
    }
    directory
}

#[test]
fn every_image_has_a_name_and_a_change_renames_only_those_that_hold_it() {
    let spec = fixtures::spec();
    let programs = programs(&spec);
    let before = references(&spec, programs.path()).expect("all programs are there");
    assert_eq!(before.iter().count(), definition::own().count() + spec.services.len());
    assert!(before.reference("redis").starts_with("localhost/nova/redis:"));

    let renamed = |program: &str| -> Vec<String> {
        fs::write(programs.path().join(program), "newer").expect("writable");
        let after = references(&spec, programs.path()).expect("all programs are there");
        fs::write(programs.path().join(program), program).expect("writable");
        let changed = before.iter().filter(|(name, before)| after.reference(name) != *before);
        changed.map(|(name, _)| name.to_owned()).collect()
    };
    assert_eq!(renamed("user-service"), ["user-service"]);
    assert_eq!(renamed("nova"), ["nova"]);
    let members = before.iter().map(|(name, _)| name).filter(|name| *name != "nova");
    assert_eq!(renamed("nova-member"), members.collect::<Vec<_>>());
}

#[test]
fn a_registry_takes_the_place_of_the_local_name() {
    let mut spec = fixtures::spec();
    let programs = programs(&spec);
    spec.kubernetes.registry = "registry.example/team/".to_owned();
    let images = references(&spec, programs.path()).expect("all programs are there");
    assert!(
        images.reference("etcd").starts_with("registry.example/team/etcd:"),
        "{images:?}"
    );
}

#[test]
fn what_every_node_has_is_loaded_only_by_force() {
    let node = |images: &[&str]| NodeImages {
        node: "node-1".to_owned(),
        images: images.iter().map(|image| (*image).to_owned()).collect(),
    };
    let (full, empty) = (node(&["a:1"]), node(&[]));
    assert!(!is_wanted("a:1", std::slice::from_ref(&full), false));
    assert!(is_wanted("a:1", std::slice::from_ref(&full), true));
    assert!(is_wanted("a:1", &[full, empty], false));
    assert!(is_wanted("a:1", &[], false), "nothing is known of the nodes");
}
