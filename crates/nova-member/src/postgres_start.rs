//! How PostgreSQL starts in a container: Patroni's settings are put together in the working directory, with the passwords in a
//! file of their own, and the process becomes Patroni.

use std::convert::Infallible;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::StartError;
use crate::files::{file_error, make_directory, read_json, read_text, write};
use crate::place::Place;
use crate::start::exec;

/// Name that Patroni's REST API asks for before it changes anything.
pub const REST_USER: &str = "nova";

/// What to run: `start.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Start {
    /// Patroni's program.
    pub patroni: PathBuf,
}

/// Becomes the Patroni of this place.
///
/// # Errors
/// When a file cannot be used or a password is missing, or Patroni cannot run.
pub fn run(place: &Place) -> Result<Infallible, StartError> {
    let start: Start = read_json(&place.config("start.json"))?;
    let directory = lay_out(place)?;
    let run = place.run();
    exec(
        Command::new(&start.patroni)
            .arg(&directory)
            // Patroni hands initdb the password in a temporary file.
            .env("TMPDIR", run)
            .current_dir(run),
        &start.patroni,
    )
}

/// Writes Patroni's settings and makes sure of the data directory's mode. Returns the directory of the settings.
fn lay_out(place: &Place) -> Result<PathBuf, StartError> {
    let directory = place.run().join("patroni");
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
