//! From which of its two files a Redis server begins its next life: the append-only file or the snapshot.
//!
//! Redis looks at its settings only: with `appendonly yes` it begins empty where there is no append-only file, whatever snapshot lies
//! beside it, and with `appendonly no` it never looks at one. After a change of the setting either loses everything. So the later of
//! the two counts, and what the settings do not load is made into what they do, or they wait for the next life.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::names::{DIRECTORY, MANIFEST, SNAPSHOT, last_write};
use crate::error::StartError;
use crate::files::{file_error, read_if_present, write};

/// How the server was last started: its time is that of the start, its content whether the append-only file was described.
pub(super) const MARK: &str = "started";
/// The append-only file that a snapshot becomes, until it is whole.
const FRESH: &str = "appendonlydir.new";
/// One that a later snapshot took the place of. Nothing reads it; a person may.
const OLDER: &str = "appendonlydir.older";
/// The snapshot as the base of an append-only file, which may be in this form.
const BASE: &str = "appendonly.aof.1.base.rdb";
/// What Redis itself would write of that.
const LIST: &str = "file appendonly.aof.1.base.rdb seq 1 type b\n";
/// Where the time of a snapshot stands: among the first few fields.
const HEAD: u64 = 1024;

/// What the next life begins from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// Nothing was ever written.
    Nothing,
    /// The append-only file.
    Appended,
    /// The snapshot.
    Snapshot,
}

impl Source {
    /// Looks at a directory of data; `described` is whether the append-only file is to be kept.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub(super) fn find(directory: &Path, described: bool) -> Result<Self, StartError> {
        let has_snapshot = directory.join(SNAPSHOT).exists();
        if !directory.join(MANIFEST).exists() {
            return Ok(if has_snapshot { Self::Snapshot } else { Self::Nothing });
        }
        // It was kept all the time, so it has everything: no clock needs to be believed.
        let kept = described && read_if_present(&directory.join(MARK))?.trim() == word(true);
        if !has_snapshot || kept {
            return Ok(Self::Appended);
        }
        let appended = last_write(&directory.join(DIRECTORY)).map_err(|error| file_error(directory, error))?;
        let begun = snapshot_begun(&directory.join(SNAPSHOT)).map_err(|error| file_error(directory, error))?;
        // It has what was written up to the second in which it was begun; in the same second the append-only file may have more.
        let later = begun.zip(appended).is_some_and(|(begun, appended)| begun > appended);
        Ok(if later { Self::Snapshot } else { Self::Appended })
    }

    /// Whether the append-only file is kept in the life that begins: as described, and once more where nothing else has the data.
    pub(super) fn keeps_appending(self, described: bool) -> bool {
        described || self == Self::Appended
    }

    /// Makes the snapshot into an append-only file, in one step, so that a server which keeps one begins with it.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(super) fn adopt(self, directory: &Path) -> Result<(), StartError> {
        if self != Self::Snapshot {
            return Ok(());
        }
        try_adopt(directory).map_err(|error| file_error(directory, error))
    }
}

/// The server is about to start.
pub(super) fn mark(directory: &Path, described: bool) -> Result<(), StartError> {
    write(&directory.join(MARK), &format!("{}\n", word(described)))
}

/// Whether settings keep the append-only file.
pub(super) fn is_described(settings: &str) -> bool {
    let value = |line: &str| line.strip_prefix("appendonly ").map(|value| value.trim() == "yes");
    settings.lines().rev().find_map(value).unwrap_or(false)
}

/// As Redis's settings have it.
pub(super) fn word(on: bool) -> &'static str {
    if on { "yes" } else { "no" }
}

fn try_adopt(directory: &Path) -> io::Result<()> {
    let (fresh, current, older) = (directory.join(FRESH), directory.join(DIRECTORY), directory.join(OLDER));
    remove_if_there(&fresh)?;
    fs::DirBuilder::new().mode(0o700).create(&fresh)?;
    let (snapshot, base) = (directory.join(SNAPSHOT), fresh.join(BASE));
    // Redis replaces either file as a whole and never writes into it, so they may be one.
    if fs::hard_link(&snapshot, &base).is_err() {
        fs::copy(&snapshot, &base)?;
        File::open(&base)?.sync_all()?;
    }
    let mut list = File::create(fresh.join("appendonly.aof.manifest"))?;
    list.write_all(LIST.as_bytes())?;
    list.sync_all()?;
    File::open(&fresh)?.sync_all()?;
    if current.exists() {
        remove_if_there(&older)?;
        fs::rename(&current, &older)?;
    }
    fs::rename(&fresh, &current)?;
    File::open(directory)?.sync_all()
}

fn remove_if_there(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The second in which a snapshot was begun, as it says itself; `None` when it does not.
fn snapshot_begun(snapshot: &Path) -> io::Result<Option<SystemTime>> {
    let mut head = Vec::new();
    File::open(snapshot)?.take(HEAD).read_to_end(&mut head)?;
    let begun = Fields(&head).time();
    Ok(begun.map(|seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)))
}

/// What is left of a snapshot's first fields: each a mark, a name and a value.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn time(mut self) -> Option<u64> {
        self.0 = self.0.strip_prefix(b"REDIS")?.get(4..)?;
        while self.number(1)? == 0xfa {
            let (name, value) = (self.text()?, self.text()?);
            if name == b"ctime" {
                return String::from_utf8(value).ok()?.parse().ok();
            }
        }
        None
    }

    /// A text; a number in one of its shorter forms as the text that it stands for.
    fn text(&mut self) -> Option<Vec<u8>> {
        let first = self.number(1)?;
        let length = match (first >> 6, first & 0x3f) {
            (0, length) => length,
            (1, high) => (high << 8) | self.number(1)?,
            (3, form @ 0..=2) => {
                let number = self.number(1 << form)?;
                return Some(number.to_string().into_bytes());
            }
            _ => return None,
        };
        let (text, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(text.to_vec())
    }

    /// A number of this many bytes, the lowest first.
    fn number(&mut self, bytes: usize) -> Option<u64> {
        let (number, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(number.iter().rev().fold(0, |sum, byte| (sum << 8) | u64::from(*byte)))
    }
}

#[cfg(test)]
mod tests;
