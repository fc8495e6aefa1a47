//! Generated once, kept private, never shown.

#![allow(clippy::unwrap_used, reason = "a test that fails there has found what it looks for")]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};

use super::{AUTH_SIGNING_KEY, KeyRing, Secrets, SecretsError};
use crate::load::{load, parse};
use crate::spec::Spec;

fn spec() -> Spec {
    load(None).unwrap().spec
}

fn fresh() -> (TempDir, PathBuf, Secrets) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("secrets.json");
    let secrets = Secrets::open_or_generate(&path, &spec()).unwrap();
    (directory, path, secrets)
}

fn write(path: &Path, text: impl AsRef<[u8]>) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn ring(secrets: &Secrets) -> KeyRing {
    KeyRing::from_text(secrets.reveal(AUTH_SIGNING_KEY).unwrap()).unwrap()
}

#[test]
fn every_name_gets_its_own_secret_once() {
    let (directory, path, first) = fresh();
    let names: Vec<&str> = first.names().collect();
    assert_eq!(
        names,
        [
            "auth-signing-key",
            "client-user-service",
            "patroni-rest",
            "postgres-auth-service",
            "postgres-auth-service-owner",
            "postgres-cdc-service",
            "postgres-replication",
            "postgres-rewind",
            "postgres-superuser",
            "postgres-user-service",
            "postgres-user-service-owner",
            "redis",
            "redis-sentinel",
        ]
    );
    let values: std::collections::BTreeSet<&str> = names.iter().map(|name| first.reveal(name).unwrap()).collect();
    assert_eq!(values.len(), names.len());
    let password = first.reveal("redis").unwrap();
    assert_eq!(password.len(), 43);
    assert!(
        password
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    );

    let (before, inode) = (fs::read(&path).unwrap(), fs::metadata(&path).unwrap().ino());
    let second = Secrets::open_or_generate(&path, &spec()).unwrap();
    assert!(
        names
            .iter()
            .all(|name| first.reveal(name).unwrap() == second.reveal(name).unwrap())
    );
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(
        fs::metadata(&path).unwrap().ino(),
        inode,
        "the file was written again for nothing"
    );
    assert_eq!(
        fs::read_dir(directory.path()).unwrap().count(),
        1,
        "something was left beside the file"
    );
}

#[test]
fn a_new_service_adds_its_own_and_a_removed_one_keeps_its() {
    let (_directory, path, first) = fresh();
    let text = "[services.chat]\nmembers = 1\nport = 8085\nuses = [\"postgres\", \"auth-service\"]\n\
                database = \"nova_messaging\"\nschema = \"messaging\"\n";
    let larger = parse(text, "nova.toml").unwrap().spec;
    let second = Secrets::open_or_generate(&path, &larger).unwrap();
    assert!(second.get("postgres-chat").is_some() && second.get("postgres-chat-owner").is_some());
    assert!(second.get("client-chat").is_some());
    assert!(
        first
            .names()
            .all(|name| first.reveal(name).unwrap() == second.reveal(name).unwrap())
    );
    let third = Secrets::open_or_generate(&path, &spec()).unwrap();
    assert_eq!(third.names().count(), second.names().count());
}

#[test]
fn a_file_from_before_a_secret_was_needed_gets_it_and_keeps_the_rest() {
    let (_directory, path, first) = fresh();
    let text = fs::read_to_string(&path).unwrap();
    let mut content: serde_json::Value = serde_json::from_str(&text).unwrap();
    content["secrets"]
        .as_object_mut()
        .unwrap()
        .remove("client-user-service");
    write(&path, content.to_string());
    let second = Secrets::open_or_generate(&path, &spec()).unwrap();
    for name in first.names() {
        let same = first.reveal(name).unwrap() == second.reveal(name).unwrap();
        assert_eq!(same, name != "client-user-service", "{name}");
    }
}

#[test]
fn nobody_else_may_read_the_file() {
    let (_directory, path, _) = fresh();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    for mode in [0o640, 0o604, 0o620, 0o700] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = Secrets::open_or_generate(&path, &spec()).unwrap_err();
        assert!(
            matches!(error, SecretsError::Mode { mode: found, .. } if found == mode),
            "{error}"
        );
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    Secrets::load(&path).unwrap();
}

#[test]
fn another_users_file_is_refused() {
    let (_directory, path, _) = fresh();
    // Only root can give a file away.
    if std::os::unix::fs::chown(&path, Some(65534), None).is_ok() {
        let error = Secrets::load(&path).unwrap_err();
        assert!(matches!(error, SecretsError::Owner { owner: 65534, .. }), "{error}");
    }
}

#[test]
fn a_damaged_file_is_never_replaced_and_never_quoted() {
    let (directory, path, secrets) = fresh();
    let good = fs::read_to_string(&path).unwrap();
    let password = secrets.reveal("redis").unwrap().to_owned();
    let damaged = [
        String::new(),
        "{}".to_owned(),
        good[..good.len() / 2].to_owned(),
        format!("{{\"version\":1,\"secrets\":[\"{password}\"]}}"),
        format!("{{\"version\":1,\"secrets\":{{\"redis\":{{\"{password}\":1}}}}}}"),
        good.replace(&password, ""),
        good.replace("BEGIN", "\\n\\\"BEGIN"),
        "{\"version\":1,\"secrets\":{\"auth-signing-key\":\"{}\"}}".to_owned(),
        "{\"version\":1,\"secrets\":{\"auth-signing-key\":\"{\\\"keys\\\":[]}\"}}".to_owned(),
    ];
    for text in damaged {
        write(&path, &text);
        let error = Secrets::open_or_generate(&path, &spec()).unwrap_err();
        assert!(matches!(error, SecretsError::Damaged { .. }), "{error} for {text}");
        let told = format!("{error} {error:?}");
        assert!(told.contains("restore") && !told.contains(&password), "{told}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    write(&path, b"\xff");
    assert!(matches!(
        Secrets::load(&path).unwrap_err(),
        SecretsError::Damaged { .. }
    ));
    assert!(matches!(
        Secrets::load(directory.path()).unwrap_err(),
        SecretsError::Damaged { .. }
    ));
    assert!(matches!(
        Secrets::load(&directory.path().join("no")).unwrap_err(),
        SecretsError::Missing { .. }
    ));
}

#[test]
fn another_version_is_told_as_such_whatever_else_it_holds() {
    let (_directory, path, _) = fresh();
    write(&path, "{\"version\":2,\"vault\":true}");
    let error = Secrets::load(&path).unwrap_err();
    assert!(
        matches!(
            error,
            SecretsError::Version {
                version: 2,
                known: 1,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn what_cannot_be_saved_leaves_the_old_file() {
    let (directory, path, secrets) = fresh();
    let before = fs::read(&path).unwrap();
    // A directory in the place of the temporary file cannot be removed as a file.
    fs::create_dir(directory.path().join("secrets.json.new")).unwrap();
    assert!(matches!(
        secrets.save(&path).unwrap_err(),
        SecretsError::Io { action: "write", .. }
    ));
    assert_eq!(fs::read(&path).unwrap(), before);
    fs::remove_dir(directory.path().join("secrets.json.new")).unwrap();
    // What a killed process left is in nobody's way.
    fs::write(directory.path().join("secrets.json.new"), "half").unwrap();
    secrets.save(&path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn debug_shows_names_only() {
    let secrets = Secrets::generate(&spec()).unwrap();
    let shown = format!("{secrets:?} {:#?} {:?}", secrets, ring(&secrets));
    assert!(shown.contains("postgres-superuser"));
    for name in secrets.names() {
        assert!(!shown.contains(secrets.reveal(name).unwrap()));
    }
    assert!(!shown.contains("PRIVATE KEY"), "{shown}");
}

#[test]
fn services_read_their_own_and_no_superusers() {
    let secrets = Secrets::generate(&spec()).unwrap();
    let names: Vec<&str> = secrets.files().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        [
            "auth-signing-key",
            "client-user-service",
            "postgres-auth-service",
            "postgres-auth-service-owner",
            "postgres-cdc-service",
            "postgres-user-service",
            "postgres-user-service-owner",
            "redis",
            "redis-sentinel",
        ]
    );
}

#[test]
fn the_signing_key_signs_what_its_public_half_verifies() {
    let secrets = Secrets::generate(&spec()).unwrap();
    let key = ring(&secrets).keys.remove(0);
    let private = EncodingKey::from_ec_pem(key.private_key_pem.expose_secret().as_bytes()).unwrap();
    let token = jsonwebtoken::encode(
        &Header::new(Algorithm::ES256),
        &serde_json::json!({"exp": u32::MAX}),
        &private,
    )
    .unwrap();
    let public = jsonwebtoken::jwk::Jwk::from_encoding_key(&private, Algorithm::ES256).unwrap();
    assert_eq!(
        public.thumbprint(jsonwebtoken::jwk::ThumbprintHash::SHA256).unwrap(),
        key.kid
    );
    let verifier = jsonwebtoken::DecodingKey::from_jwk(&public).unwrap();
    let validation = jsonwebtoken::Validation::new(Algorithm::ES256);
    jsonwebtoken::decode::<serde_json::Value>(&token, &verifier, &validation).unwrap();
}

#[test]
fn rotation_appends_and_drops_what_nothing_valid_was_signed_by() {
    let (_directory, path, mut secrets) = fresh();
    let begin = OffsetDateTime::now_utc() + Duration::minutes(1);
    let first = ring(&secrets).keys[0].kid.clone();
    secrets.rotate_at(AUTH_SIGNING_KEY, begin).unwrap();
    secrets
        .rotate_at(AUTH_SIGNING_KEY, begin + Duration::minutes(61))
        .unwrap();
    let kids = |secrets: &Secrets| ring(secrets).keys.iter().map(|key| key.kid.clone()).collect::<Vec<_>>();
    let three = kids(&secrets);
    assert_eq!(
        (three.len(), &three[0]),
        (3, &first),
        "the first one's last tokens may still be valid"
    );

    secrets
        .rotate_at(AUTH_SIGNING_KEY, begin + Duration::minutes(90))
        .unwrap();
    assert_eq!(
        kids(&secrets)[..2],
        three[1..],
        "the first one's successor has signed for over an hour"
    );
    assert_eq!(kids(&secrets).len(), 3);

    secrets.save(&path).unwrap();
    let read = Secrets::load(&path).unwrap();
    assert_eq!(kids(&read), kids(&secrets));
    assert_eq!(
        ring(&read).keys[2].created_at,
        (begin + Duration::minutes(90)).replace_nanosecond(0).unwrap()
    );
}

#[test]
fn passwords_are_not_rotated_and_unknown_names_are_named() {
    let mut secrets = Secrets::generate(&spec()).unwrap();
    let before = secrets.reveal("redis").unwrap().to_owned();
    assert!(matches!(
        secrets.rotate("redis").unwrap_err(),
        SecretsError::NotRotatable { .. }
    ));
    assert_eq!(secrets.reveal("redis").unwrap(), before);
    let error = secrets.rotate("rediss").unwrap_err();
    assert!(
        error.to_string().contains("the names are auth-signing-key, "),
        "{error}"
    );
    assert!(secrets.reveal("rediss").is_err());
}

#[test]
fn a_directory_of_files_holds_the_same_secrets() {
    let secrets = Secrets::generate(&spec()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("..2026_01_01");
    std::fs::create_dir(&data).unwrap();
    for (name, value) in secrets.values() {
        std::fs::write(data.join(name), value.expose_secret()).unwrap();
        std::os::unix::fs::symlink(data.join(name), directory.path().join(name)).unwrap();
    }
    let read = Secrets::from_directory(directory.path()).unwrap();
    assert_eq!(read.names().collect::<Vec<_>>(), secrets.names().collect::<Vec<_>>());
    assert_eq!(read.reveal("redis").unwrap(), secrets.reveal("redis").unwrap());

    std::fs::write(data.join("redis"), "").unwrap();
    assert!(matches!(
        Secrets::from_directory(directory.path()).unwrap_err(),
        SecretsError::Empty { .. }
    ));
}

#[test]
fn a_name_that_could_leave_a_directory_is_refused() {
    for name in ["", "../redis", "Redis", "a.b", "-a", "a/b"] {
        let values = std::collections::BTreeMap::from([(name.to_owned(), SecretString::from("x"))]);
        let error = Secrets::from_values(values).unwrap_err();
        assert!(matches!(error, SecretsError::Name { .. }), "{name:?}: {error}");
    }
}

#[test]
fn a_revoked_key_is_gone_and_one_new_key_is_there() {
    let (_directory, path, mut secrets) = fresh();
    secrets.rotate(AUTH_SIGNING_KEY).unwrap();
    let before = ring(&secrets);
    assert_eq!(before.keys.len(), 2);
    secrets.revoke(AUTH_SIGNING_KEY).unwrap();
    secrets.save(&path).unwrap();
    let after = ring(&Secrets::load(&path).unwrap());
    assert_eq!(after.keys.len(), 1);
    assert!(before.keys.iter().all(|key| key.kid != after.keys[0].kid));
    assert!(matches!(
        secrets.revoke("redis"),
        Err(SecretsError::NotRotatable { .. })
    ));
    assert!(matches!(secrets.revoke("nothing"), Err(SecretsError::Unknown { .. })));
}
