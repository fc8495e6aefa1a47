//! How a Kafka broker starts: an empty directory is formatted first, by Kafka's own tool, beside the place and then moved
//! there, so that a format that was cut short leaves nothing behind.

use std::convert::Infallible;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::address::HostPort;
use crate::error::StartError;
use crate::files::{file_error, make_directory, read_json};
use crate::place::Place;
use crate::start::exec;

/// The property by which `log4j2.properties` finds the file for what the broker writes of its sessions.
const SESSION_LOG: &str = "nova.session.log";

/// What a broker writes of its sessions, one file a life: see the logger of that name in the broker's own settings.
const SESSIONS: &str = "session.log";

/// What to run: `start.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Start {
    /// `java`.
    pub java: PathBuf,
    /// What each Java process gets before its main class.
    pub options: Vec<String>,
    /// Arguments of `kafka.tools.StorageTool` for an empty directory.
    pub format: Vec<String>,
    /// Directory of Kafka's jars, which become the class path in the order of their names; none where the environment has a
    /// `CLASSPATH`.
    #[serde(default)]
    pub libs: Option<PathBuf>,
    /// Where the controllers are met, the broker's own among them.
    #[serde(default)]
    pub controllers: Vec<HostPort>,
}

/// Becomes the broker of this place.
///
/// # Errors
/// When formatting fails, or Java cannot run.
pub fn run(place: &Place) -> Result<Infallible, StartError> {
    let start: Start = read_json(&place.config("start.json"))?;
    place.bring(&["server.properties", "format.properties", "log4j2.properties"])?;
    let data = place.data("kafka");
    if let Some(parent) = data.parent() {
        make_directory(parent)?;
    }
    if !data.join("meta.properties").exists() {
        format(&start, place, &data)?;
    }
    let mut java = java(&start, place)?;
    java.arg(format!("-D{SESSION_LOG}={}", session_log(place).display()))
        .args(["kafka.Kafka", "server.properties"]);
    exec(&mut java, &start.java)
}

/// Where the broker of this place writes of its sessions.
pub(crate) fn session_log(place: &Place) -> PathBuf {
    place.kept(SESSIONS)
}

/// Java with everything but a main class.
fn java(start: &Start, place: &Place) -> Result<Command, StartError> {
    let mut java = Command::new(&start.java);
    java.args(&start.options).current_dir(place.run());
    if let Place::Mounted { run, .. } = place {
        // The one place that can be written to.
        java.arg(format!("-Djava.io.tmpdir={}", run.display()));
    }
    if let Some(libs) = &start.libs {
        java.env("CLASSPATH", class_path(libs)?);
    }
    Ok(java)
}

/// By name and in order: a class archive counts only for the very class path that it was made with.
fn class_path(libs: &Path) -> Result<String, StartError> {
    let list = || -> io::Result<Vec<String>> {
        let paths = fs::read_dir(libs)?.map(|entry| Ok(entry?.path().display().to_string()));
        let mut jars: Vec<String> = paths.collect::<io::Result<_>>()?;
        jars.retain(|path| path.ends_with(".jar"));
        jars.sort();
        if jars.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "there are no jars in it"));
        }
        Ok(jars)
    };
    list()
        .map(|jars| jars.join(":"))
        .map_err(|source| file_error(libs, source))
}

fn format(start: &Start, place: &Place, data: &Path) -> Result<(), StartError> {
    let mut fresh = data.as_os_str().to_owned();
    fresh.push(".new");
    let fresh = PathBuf::from(fresh);
    remove(&fresh)?;
    let mut java = java(start, place)?;
    java.arg("kafka.tools.StorageTool")
        .args(&start.format)
        .stdin(Stdio::null());
    let output = java.output().map_err(|source| StartError::Exec {
        program: start.java.clone(),
        source,
    })?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        let reason = said
            .lines()
            .rev()
            .find(|line| !line.trim().is_empty())
            .unwrap_or("it said nothing")
            .to_owned();
        return Err(StartError::Preparation {
            program: "kafka.tools.StorageTool".to_owned(),
            reason,
        });
    }
    remove(data)?;
    fs::rename(&fresh, data).map_err(|source| file_error(data, source))
}

fn remove(path: &Path) -> Result<(), StartError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(file_error(path, error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
