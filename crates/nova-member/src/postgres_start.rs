//! How PostgreSQL starts in a container: Patroni's settings are put together in the working directory, with the passwords in a
//! file of their own, and the process becomes Patroni. Each start is a life of its own, which Patroni publishes as a tag: by that the
//! session of one that has ended is known from that of another pod of the same name.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::address::Address;
use crate::error::StartError;
use crate::files::{file_error, make_directory, read_json, read_text, write};
use crate::leader_key::{LIFE_TAG, LeaderKey, Life};
use crate::patroni_python;
use crate::place::Place;
use crate::start::exec;

/// Name that Patroni's REST API asks for before it changes anything.
pub const REST_USER: &str = "nova";

/// What to run, and whom to hand over to: `start.json`. May hold a password, so it has no `Debug`.
#[derive(Clone, Serialize, Deserialize)]
pub struct Start {
    /// Patroni's program.
    pub patroni: PathBuf,
    /// What the member holds while it leads.
    pub leader_key: LeaderKey,
    /// Where all members' Patronis are met, its own among them.
    #[serde(default)]
    pub patronis: Vec<Address>,
    /// What they ask for before they change anything; empty where it is in a file of its own.
    #[serde(default)]
    pub password: String,
}

/// What Patroni is told of this start.
#[derive(Serialize, Deserialize)]
struct Tags {
    tags: BTreeMap<String, String>,
}

/// A new name each time that it is read.
const UNIQUE: &str = "/proc/sys/kernel/random/uuid";
const LIFE_FILE: &str = "4-life.yml";

/// Becomes the Patroni of this place.
///
/// # Errors
/// When a file cannot be used or a password is missing, or Patroni cannot run.
pub fn run(place: &Place) -> Result<Infallible, StartError> {
    let start: Start = read_json(&place.config("start.json"))?;
    let directory = lay_out(place)?;
    let run = place.run();
    let python = python(place).display().to_string();
    exec(
        Command::new(&start.patroni)
            .arg(&directory)
            .envs(patroni_python::environment(&python))
            // Patroni hands initdb the password in a temporary file.
            .env("TMPDIR", run)
            .current_dir(run),
        &start.patroni,
    )
}

/// Gives up the leader key of the life that has ended, which whoever calls this has proven: nothing that it started runs. Says what
/// became of the key.
///
/// # Errors
/// When it is not known which life that was.
pub fn died(place: &Place, limit: Duration) -> Result<String, StartError> {
    let start: Start = read_json(&place.config("start.json"))?;
    let last: Tags = read_json(&settings(place).join(LIFE_FILE))?;
    let life = last.tags.get(LIFE_TAG).map_or("", String::as_str);
    let told = match start.leader_key.release(Life::Tagged(life), limit, || true) {
        Ok(released) => released.to_string(),
        Err(error) => format!("its leader key could not be given up, and ends with its session: {error}"),
    };
    Ok(format!("nothing of {} runs: {told}", start.leader_key.holder))
}

/// The directory of Patroni's settings.
fn settings(place: &Place) -> PathBuf {
    place.run().join("patroni")
}

/// The directory of what runs before Patroni.
fn python(place: &Place) -> PathBuf {
    place.run().join(patroni_python::DIRECTORY)
}

/// Writes Patroni's settings and makes sure of the data directory's mode. Returns the directory of the settings.
fn lay_out(place: &Place) -> Result<PathBuf, StartError> {
    let python = python(place);
    make_directory(&python)?;
    write(&python.join(patroni_python::FILE), patroni_python::CONTENT)?;
    let directory = settings(place);
    make_directory(&directory)?;
    // Patroni merges the files of a directory in the order of their names.
    for file in ["1-bootstrap.yml", "2-member.yml"] {
        write(&directory.join(file), &read_text(&place.config(file))?)?;
    }
    let get = |name: &str| {
        place
            .password(name)?
            .ok_or_else(|| StartError::NoPassword(name.to_owned()))
    };
    // JSON is YAML.
    write(&directory.join("3-secrets.yml"), &format!("{:#}\n", passwords(get)?))?;
    let life = read_text(Path::new(UNIQUE))?;
    let life = json!({ "tags": { LIFE_TAG: life.trim() } });
    write(&directory.join(LIFE_FILE), &format!("{life:#}\n"))?;
    prepare_data(&place.data("pg"))?;
    Ok(directory)
}

/// PostgreSQL refuses a data directory that others may read, and a volume's group may have been given it since.
fn prepare_data(data: &Path) -> Result<(), StartError> {
    if let Some(parent) = data.parent() {
        make_directory(parent)?;
    }
    match fs::set_permissions(data, fs::Permissions::from_mode(0o700)) {
        // Patroni makes it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(|source| file_error(data, source)),
    }
}

/// The part of Patroni's settings that is secret, from passwords by name.
///
/// # Errors
/// The first error of `get`.
pub fn passwords<E>(get: impl Fn(&str) -> Result<String, E>) -> Result<Value, E> {
    let user = |name: &str, secret: &str| Ok(json!({ "username": name, "password": get(secret)? }));
    Ok(json!({
        "restapi": { "authentication": user(REST_USER, "patroni-rest")? },
        "postgresql": { "authentication": {
            "superuser": user("postgres", "postgres-superuser")?,
            "replication": user("nova_replication", "postgres-replication")?,
            "rewind": user("nova_rewind", "postgres-rewind")?,
        }},
    }))
}

#[cfg(test)]
mod tests;
