//! What Patroni finds, and who may read it.
#![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

use std::path::Path;

use super::*;

const SECRETS: [&str; 4] = [
    "patroni-rest",
    "postgres-superuser",
    "postgres-replication",
    "postgres-rewind",
];

fn mounted(root: &Path) -> Place {
    for directory in ["config", "secrets", "data", "run"] {
        fs::create_dir(root.join(directory)).unwrap();
    }
    fs::write(root.join("config/1-bootstrap.yml"), "bootstrap: {}\n").unwrap();
    fs::write(root.join("config/postgres-1.2-member.yml"), "name: postgres-1\n").unwrap();
    for name in SECRETS {
        fs::write(root.join("secrets").join(name), format!("the-{name}\n")).unwrap();
    }
    Place::Mounted {
        config: root.join("config"),
        member: "postgres-1".into(),
        secrets: root.join("secrets"),
        data: root.join("data/below"),
        run: root.join("run"),
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn passwords_come_last_and_are_the_members_alone() {
    let root = tempfile::tempdir().unwrap();
    let place = mounted(root.path());
    // Twice: a container starts again in the same working directory.
    let life = || fs::read_to_string(root.path().join("run/patroni").join(LIFE_FILE)).unwrap();
    lay_out(&place).unwrap();
    let first = life();
    let directory = lay_out(&place).unwrap();
    assert_ne!(life(), first, "each start is a life of its own");
    let mut files: Vec<_> = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(
        files,
        ["1-bootstrap.yml", "2-member.yml", "3-secrets.yml", "4-life.yml"]
    );
    let python: Vec<_> = fs::read_dir(root.path().join("run/python"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(python, [patroni_python::FILE]);
    assert_eq!(
        fs::read_to_string(directory.join("2-member.yml")).unwrap(),
        "name: postgres-1\n"
    );
    let path = directory.join("3-secrets.yml");
    assert_eq!((mode(&path), mode(&directory)), (0o600, 0o700));
    let secrets: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    for (path, expected) in [
        ("/restapi/authentication/username", "nova"),
        ("/restapi/authentication/password", "the-patroni-rest"),
        (
            "/postgresql/authentication/superuser/password",
            "the-postgres-superuser",
        ),
        ("/postgresql/authentication/replication/username", "nova_replication"),
        ("/postgresql/authentication/rewind/password", "the-postgres-rewind"),
    ] {
        assert_eq!(secrets.pointer(path).and_then(Value::as_str), Some(expected), "{path}");
    }
}

#[test]
fn a_data_directory_that_a_volumes_group_may_read_is_closed_again() {
    let root = tempfile::tempdir().unwrap();
    let place = mounted(root.path());
    lay_out(&place).unwrap();
    let data = root.path().join("data/below/pg");
    assert!(
        !data.exists(),
        "Patroni takes one that exists for a cluster that was cut off"
    );
    assert_eq!(mode(data.parent().unwrap()), 0o700);
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o770)).unwrap();
    lay_out(&place).unwrap();
    assert_eq!(mode(&data), 0o700);
}

#[test]
fn a_missing_password_is_told_by_name() {
    let root = tempfile::tempdir().unwrap();
    let place = mounted(root.path());
    fs::remove_file(root.path().join("secrets/postgres-rewind")).unwrap();
    let error = lay_out(&place).unwrap_err().to_string();
    assert!(error.contains("secrets/postgres-rewind"), "{error}");
    assert!(!error.contains("the-"), "{error}");
}
