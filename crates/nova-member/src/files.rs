//! Reading settings, and writing what may hold a password.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::error::StartError;

/// A whole file.
pub(crate) fn read_text(path: &Path) -> Result<String, StartError> {
    fs::read_to_string(path).map_err(|source| file_error(path, source))
}

/// A whole file, or nothing when there is none.
pub(crate) fn read_if_present(path: &Path) -> Result<String, StartError> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        other => other.map_err(|source| file_error(path, source)),
    }
}

/// A file of JSON that `nova deploy` wrote.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, StartError> {
    let text = read_text(path)?;
    serde_json::from_str(&text).map_err(|source| StartError::Damaged {
        path: path.to_owned(),
        source,
    })
}

/// Replaces a file that may hold a password, in one step.
pub(crate) fn write(path: &Path, content: &str) -> Result<(), StartError> {
    let fresh = path.with_extension("new");
    let try_write = || -> io::Result<()> {
        // One that was left behind may have another mode.
        match fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file: File = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&fresh)?;
        file.write_all(content.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, path)
    };
    try_write().map_err(|source| file_error(path, source))
}

/// A directory and its parents, for its owner alone; one that is there stays as it is.
pub(crate) fn make_directory(path: &Path) -> Result<(), StartError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(path).map_err(|source| file_error(path, source))
}

pub(crate) fn file_error(path: &Path, source: io::Error) -> StartError {
    StartError::File {
        path: path.to_owned(),
        source,
    }
}
