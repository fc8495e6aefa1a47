//! The file that holds a platform's secrets: JSON, mode 0600, versioned, replaced atomically.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::SecretsError;

/// Version of the format that this program writes, and the only one that it reads.
const VERSION: u64 = 1;
/// A file larger than this was not written by this program.
const LARGEST: u64 = 1 << 20;

#[derive(Deserialize)]
struct Header {
    version: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    #[serde(rename = "version")]
    _version: u64,
    secrets: BTreeMap<String, SecretString>,
}

#[derive(Serialize)]
struct Written<'a> {
    version: u64,
    secrets: BTreeMap<&'a str, &'a str>,
}

/// Reads and judges the file.
pub(super) fn read(path: &Path) -> Result<BTreeMap<String, SecretString>, SecretsError> {
    let text = read_private(path)?;
    // The version first: a newer format may differ in everything else. serde_json's own words may quote content, so only
    // the place is told.
    let place = |error: serde_json::Error| {
        let reason = format!(
            "not the expected JSON at line {}, column {}",
            error.line(),
            error.column()
        );
        SecretsError::damaged(path, reason)
    };
    let header: Header = serde_json::from_str(&text).map_err(place)?;
    if header.version != VERSION {
        return Err(SecretsError::Version {
            path: path.to_owned(),
            version: header.version,
            known: VERSION,
        });
    }
    let content: Content = serde_json::from_str(&text).map_err(place)?;
    if let Some((name, _)) = content
        .secrets
        .iter()
        .find(|(_, value)| value.expose_secret().is_empty())
    {
        return Err(SecretsError::damaged(path, format!("{name:?} is empty")));
    }
    Ok(content.secrets)
}

fn read_private(path: &Path) -> Result<Zeroizing<String>, SecretsError> {
    let io = |source| io_error("read", path, source);
    // Looked at before it is opened, since opening a named pipe would wait for its writer.
    let metadata = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(SecretsError::Missing { path: path.to_owned() });
        }
        other => other.map_err(io)?,
    };
    if !metadata.is_file() {
        return Err(SecretsError::damaged(path, "not a regular file"));
    }
    let file = File::open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    let mode = metadata.mode() & 0o7777;
    if mode & 0o177 != 0 {
        return Err(SecretsError::Mode {
            path: path.to_owned(),
            mode,
        });
    }
    let user = rustix::process::geteuid().as_raw();
    if metadata.uid() != user {
        return Err(SecretsError::Owner {
            path: path.to_owned(),
            owner: metadata.uid(),
            user,
        });
    }
    if metadata.len() > LARGEST {
        return Err(SecretsError::damaged(path, "larger than 1 MiB"));
    }
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(LARGEST).read_to_end(&mut bytes).map_err(io)?;
    let text = str::from_utf8(&bytes).map_err(|_| SecretsError::damaged(path, "not UTF-8 text"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Reads the files of a directory whose names `wanted` takes.
pub(super) fn read_directory(
    directory: &Path,
    wanted: fn(&str) -> bool,
) -> Result<BTreeMap<String, SecretString>, SecretsError> {
    let mut values = BTreeMap::new();
    for entry in fs::read_dir(directory).map_err(|source| io_error("read", directory, source))? {
        let entry = entry.map_err(|source| io_error("read", directory, source))?;
        let path = entry.path();
        let Some(name) = path
            .file_name()
            .and_then(|name| name.to_str())
            .filter(|name| wanted(name))
        else {
            continue;
        };
        // Through links: that is how Kubernetes shows them.
        let metadata = fs::metadata(&path).map_err(|source| io_error("read", &path, source))?;
        if !metadata.is_file() {
            continue;
        }
        if metadata.len() > LARGEST {
            return Err(SecretsError::damaged(&path, "larger than 1 MiB"));
        }
        let text = fs::read_to_string(&path).map_err(|source| io_error("read", &path, source))?;
        values.insert(name.to_owned(), SecretString::from(text));
    }
    Ok(values)
}

/// Writes a new file beside the old one and puts it in its place.
pub(super) fn write(path: &Path, values: &BTreeMap<String, SecretString>) -> Result<(), SecretsError> {
    let written = Written {
        version: VERSION,
        secrets: values
            .iter()
            .map(|(name, value)| (name.as_str(), value.expose_secret()))
            .collect(),
    };
    let mut bytes = Zeroizing::new(Vec::new());
    serde_json::to_writer_pretty(&mut *bytes, &written).map_err(|error| io_error("write", path, error.into()))?;
    bytes.push(b'\n');
    let temporary = beside(path);
    replace(path, &temporary, &bytes).map_err(|error| {
        let _ = fs::remove_file(&temporary);
        io_error("write", path, error)
    })
}

fn replace(path: &Path, temporary: &Path, bytes: &[u8]) -> io::Result<()> {
    // One that a killed process left behind is worth nothing: it was never in place.
    match fs::remove_file(temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(temporary, path)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

/// In the same directory, since a rename does not cross file systems.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> SecretsError {
    SecretsError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}
