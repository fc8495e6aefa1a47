//! Whose settings a member finds, and where its password comes from.
#![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::Place;
use crate::error::StartError;

fn mounted(root: &std::path::Path) -> Place {
    for directory in ["config", "secrets", "data", "run"] {
        fs::create_dir(root.join(directory)).unwrap();
    }
    Place::Mounted {
        config: root.join("config"),
        member: "redis-1".into(),
        secrets: root.join("secrets"),
        data: root.join("data"),
        run: root.join("run"),
    }
}

#[test]
fn a_member_has_its_own_settings_or_those_of_its_kind() {
    let root = tempfile::tempdir().unwrap();
    let place = mounted(root.path());
    let config = root.path().join("config");
    for file in ["redis-1.start.json", "redis-2.start.json", "start.json", "base.conf"] {
        fs::write(config.join(file), "").unwrap();
    }
    assert_eq!(place.config("start.json"), config.join("redis-1.start.json"));
    assert_eq!(place.config("base.conf"), config.join("base.conf"));
    assert_eq!(place.data("redis"), root.path().join("data/redis"));
    assert_eq!(place.kept("sentinel.conf"), root.path().join("data/sentinel.conf"));
}

#[test]
fn one_directory_holds_everything() {
    let place = Place::Directory("/members/redis-1".into());
    assert_eq!(
        place.config("start.json"),
        std::path::Path::new("/members/redis-1/start.json")
    );
    assert_eq!(place.data("redis"), std::path::Path::new("/members/redis-1/data"));
    assert_eq!(place.data_setting("redis"), "data");
    assert_eq!(place.password("redis").unwrap(), None);
}

#[test]
fn a_password_is_the_line_of_its_file() {
    let root = tempfile::tempdir().unwrap();
    let place = mounted(root.path());
    assert!(matches!(place.password("redis"), Err(StartError::File { .. })));
    let file = root.path().join("secrets/redis");
    fs::write(&file, "\n").unwrap();
    assert!(matches!(place.password("redis"), Err(StartError::NoPassword(_))));
    fs::write(&file, "hidden\n").unwrap();
    assert_eq!(place.password("redis").unwrap().as_deref(), Some("hidden"));
}

#[test]
fn settings_are_brought_again_on_every_start() {
    let root = tempfile::tempdir().unwrap();
    let place = mounted(root.path());
    let (from, to) = (
        root.path().join("config/redis-1.server.properties"),
        root.path().join("run/server.properties"),
    );
    for content in ["first", "second"] {
        // As a container sees them: nobody may write there.
        let _ = fs::remove_file(&from);
        fs::write(&from, content).unwrap();
        fs::set_permissions(&from, fs::Permissions::from_mode(0o444)).unwrap();
        place.bring(&["server.properties"]).unwrap();
        assert_eq!(fs::read_to_string(&to).unwrap(), content);
        let mode = fs::metadata(&to).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "the next start could not replace it");
    }
    let missing = place.bring(&["nothing"]).unwrap_err().to_string();
    assert!(missing.contains("config/nothing"), "{missing}");
}
