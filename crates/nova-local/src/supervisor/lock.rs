//! A file lock that says who holds it and ends with its holder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use serde::{Deserialize, Serialize};

use crate::process::Identity;

/// How long a lock may seem held by nobody, while somebody only looks at it or has not noted its name yet.
const GLANCE: Duration = Duration::from_millis(200);

/// Held until dropped, and by no longer than the process lives.
#[derive(Debug)]
pub struct LockFile {
    file: File,
}

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holding {
    /// Its process.
    pub process: Identity,
    /// What it does, such as "nova deploy".
    pub what: String,
}

/// Why a lock cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error("{} is at work on this platform{}; wait for it to end, or end it", describe(.holder), since(.holder))]
    Held {
        /// Who, when it can be told.
        holder: Option<Holding>,
    },
    /// The file cannot be made or read.
    #[error("cannot lock {}", .path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

fn describe(holder: &Option<Holding>) -> String {
    holder
        .as_ref()
        .map_or_else(|| "another nova".to_owned(), |holder| format!("`{}`", holder.what))
}

fn since(holder: &Option<Holding>) -> String {
    holder
        .as_ref()
        .map_or_else(String::new, |holder| format!(" (process {})", holder.process.pid))
}

impl LockFile {
    /// Takes the lock at once or not at all.
    ///
    /// # Errors
    /// [`LockError::Held`] when another process has it.
    pub fn take(path: &Path, what: &str) -> Result<Self, LockError> {
        let io = |source| LockError::Io {
            path: path.to_owned(),
            source,
        };
        let deadline = Instant::now() + GLANCE;
        loop {
            let mut file = open(path, true).map_err(io)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let holder = read_holder(&mut file);
                    if holder.is_none() && Instant::now() < deadline {
                        std::thread::sleep(GLANCE / 20);
                        continue;
                    }
                    return Err(LockError::Held { holder });
                }
                Err(TryLockError::Error(error)) => return Err(io(error)),
            }
            // Its last holder may have removed the file between our opening and our locking it.
            if is_still_there(&file, path) {
                note_holder(&mut file, what);
                return Ok(Self { file });
            }
        }
    }

    /// Whether the file at this path is still the one that is locked.
    #[must_use]
    pub fn is_at(&self, path: &Path) -> bool {
        is_still_there(&self.file, path)
    }

    /// Who holds the lock now.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn holder(path: &Path) -> Result<Option<Holding>, LockError> {
        let io = |source| LockError::Io {
            path: path.to_owned(),
            source,
        };
        let mut file = match open(path, false) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io(error)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => Ok(read_holder(&mut file)),
            Err(TryLockError::Error(error)) => Err(io(error)),
        }
    }
}

fn open(path: &Path, create: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    // Root must not be led elsewhere by a link that a member planted.
    options.read(true).mode(0o600).custom_flags(OFlag::O_NOFOLLOW.bits());
    if create {
        options.write(true).create(true).truncate(false);
    }
    options.open(path)
}

fn is_still_there(file: &File, path: &Path) -> bool {
    let (Ok(ours), Ok(named)) = (file.metadata(), std::fs::metadata(path)) else {
        return false;
    };
    (ours.dev(), ours.ino()) == (named.dev(), named.ino())
}

/// A lock whose holder could not be noted is held all the same.
fn note_holder(file: &mut File, what: &str) {
    let Some(process) = Identity::of(std::process::id().cast_signed()) else {
        return;
    };
    let holding = Holding {
        process,
        what: what.to_owned(),
    };
    let text = serde_json::json!(holding).to_string();
    let _ = file
        .set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| file.write_all(text.as_bytes()));
}

fn read_holder(file: &mut File) -> Option<Holding> {
    let mut text = Vec::new();
    file.rewind().ok()?;
    file.take(4096).read_to_end(&mut text).ok()?;
    let holding: Holding = serde_json::from_slice(&text).ok()?;
    holding.process.is_alive().then_some(holding)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

    use super::{LockError, LockFile};

    #[test]
    fn the_second_is_refused_and_told_who_has_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("command.lock");
        assert_eq!(LockFile::holder(&path).unwrap(), None);
        let held = LockFile::take(&path, "nova deploy").unwrap();
        let error = LockFile::take(&path, "nova cleanup").unwrap_err();
        assert!(matches!(error, LockError::Held { .. }));
        let text = error.to_string();
        assert!(
            text.contains("`nova deploy`") && text.contains(&std::process::id().to_string()),
            "{text}"
        );
        assert_eq!(LockFile::holder(&path).unwrap().unwrap().what, "nova deploy");
        drop(held);
        assert_eq!(LockFile::holder(&path).unwrap(), None);
        LockFile::take(&path, "nova cleanup").unwrap();
    }

    #[test]
    fn a_lock_whose_file_was_removed_does_not_keep_others_out() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("command.lock");
        let _old = LockFile::take(&path, "one").unwrap();
        std::fs::remove_file(&path).unwrap();
        let _new = LockFile::take(&path, "two").unwrap();
    }
}
