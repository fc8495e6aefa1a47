//! How a Kafka broker starts: an empty directory is formatted first, by Kafka's own tool, beside the place and then moved
//! there, so that a format that was cut short leaves nothing behind.

use std::convert::Infallible;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use super::kafka::Start;
use super::redis_start::{StartError, exec, read_start};

/// Becomes the broker whose member directory this is.
///
/// # Errors
/// When formatting fails, or Java cannot run.
pub fn run(directory: &Path) -> Result<Infallible, StartError> {
    let start: Start = read_start(directory)?;
    if !directory.join("data/meta.properties").exists() {
        format(&start, directory)?;
    }
    let mut java = Command::new(&start.java);
    exec(
        java.args(&start.options)
            .args(["kafka.Kafka", "server.properties"])
            .current_dir(directory),
        &start.java,
    )
}

fn format(start: &Start, directory: &Path) -> Result<(), StartError> {
    let (fresh, data) = (directory.join("data.new"), directory.join("data"));
    remove(&fresh)?;
    let mut java = Command::new(&start.java);
    java.args(&start.options)
        .arg("kafka.tools.StorageTool")
        .args(&start.format)
        .current_dir(directory)
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
    remove(&data)?;
    fs::rename(&fresh, &data).map_err(|source| StartError::File { path: data, source })
}

fn remove(path: &Path) -> Result<(), StartError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StartError::File {
            path: path.to_owned(),
            source: error,
        }),
        _ => Ok(()),
    }
}
