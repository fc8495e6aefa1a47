//! Copies of our own programs, named after their content: members cannot read the home of whoever deploys, and a rebuild
//! must not change a program under a running member.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::parts::short_hex;
use crate::layout::{Layout, Owner, write_atomic};

/// Notes which content a file had, so that large programs are not read again at each deploy.
const INDEX: &str = "index.json";

/// What tells that a file is still the one that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    size: u64,
    inode: u64,
    modified_ns: u128,
    hash: String,
}

/// The copies of one platform.
#[derive(Debug)]
pub(super) struct Binaries<'a> {
    layout: &'a Layout,
    index: BTreeMap<PathBuf, Seen>,
}

impl<'a> Binaries<'a> {
    pub(super) fn of(layout: &'a Layout) -> Self {
        let text = fs::read(layout.bin().join(INDEX)).unwrap_or_default();
        Self {
            layout,
            index: serde_json::from_slice(&text).unwrap_or_default(),
        }
    }

    /// Where the copy of a program is or would be.
    pub(super) fn path(&mut self, source: &Path) -> io::Result<PathBuf> {
        let metadata = fs::metadata(source)?;
        if !metadata.is_file() {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        let modified = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut seen = Seen {
            size: metadata.len(),
            inode: metadata.ino(),
            modified_ns: modified.as_nanos(),
            hash: String::new(),
        };
        match self.index.get(source) {
            Some(known)
                if (known.size, known.inode, known.modified_ns) == (seen.size, seen.inode, seen.modified_ns) =>
            {
                seen.hash.clone_from(&known.hash);
            }
            _ => seen.hash = hash(source)?,
        }
        let name = source.file_name().unwrap_or_default().to_string_lossy();
        let path = self.layout.bin().join(format!("{name}-{}", seen.hash));
        self.index.insert(source.to_owned(), seen);
        Ok(path)
    }

    /// Makes the copy of a program, unless it is there.
    pub(super) fn copy(&mut self, source: &Path, owner: &Owner) -> io::Result<PathBuf> {
        let path = self.path(source)?;
        if !path.is_file() {
            copy(source, &path, owner)?;
        }
        Ok(path)
    }

    /// Notes what was read. Without the note, it is read again next time.
    pub(super) fn save(&self, owner: &Owner) {
        if let Ok(text) = serde_json::to_vec(&self.index) {
            let _ = write_atomic(&self.layout.bin().join(INDEX), &text, 0o600, owner);
        }
    }
}

/// The newest copy of the program with this name.
pub(super) fn newest(layout: &Layout, name: &str) -> Option<PathBuf> {
    let prefix = format!("{name}-");
    let entries = fs::read_dir(layout.bin()).ok()?;
    let copies = entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix));
    copies
        .max_by_key(|entry| entry.metadata().and_then(|metadata| metadata.modified()).ok())
        .map(|entry| entry.path())
}

/// Removes copies that nothing uses any more.
pub(super) fn remove_unused(layout: &Layout, used: &BTreeSet<PathBuf>) {
    for entry in fs::read_dir(layout.bin()).into_iter().flatten().flatten() {
        let path = entry.path();
        if !used.contains(&path) && path.file_name().is_some_and(|name| name != INDEX) {
            let _ = fs::remove_file(path);
        }
    }
}

fn copy(source: &Path, path: &Path, owner: &Owner) -> io::Result<()> {
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)?;
        io::copy(&mut File::open(source)?, &mut file)?;
        if let Some((uid, gid)) = owner.to_hand_over() {
            std::os::unix::fs::fchown(&file, Some(uid.as_raw()), Some(gid.as_raw()))?;
        }
        file.set_permissions(Permissions::from_mode(0o755))?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    write().inspect_err(|_| {
        let _ = fs::remove_file(&temporary);
    })
}

fn hash(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(short_hex(&digest.finalize())),
            read => digest.update(&buffer[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

    use super::{Binaries, newest, remove_unused};
    use crate::layout::{Layout, Owner, create};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn copies_are_named_after_their_content_and_go_when_unused() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::at(root.path().join("nova"));
        let owner = Owner {
            uid: nix::unistd::geteuid().as_raw(),
            gid: nix::unistd::getegid().as_raw(),
            name: "me".into(),
        };
        create(&layout, &owner).unwrap();
        let source = root.path().join("service");
        std::fs::write(&source, "one").unwrap();
        let mut binaries = Binaries::of(&layout);
        let first = binaries.copy(&source, &owner).unwrap();
        binaries.save(&owner);
        assert_eq!(std::fs::metadata(&first).unwrap().permissions().mode() & 0o777, 0o755);
        assert_eq!(Binaries::of(&layout).path(&source).unwrap(), first);

        std::fs::write(&source, "three").unwrap();
        let second = Binaries::of(&layout).copy(&source, &owner).unwrap();
        assert_ne!(first, second);
        assert_eq!(
            std::fs::read(&first).unwrap(),
            b"one",
            "a running program stays as it is"
        );
        remove_unused(&layout, &[second.clone()].into());
        assert_eq!(newest(&layout, "service"), Some(second));
        assert!(!first.exists());
        assert!(
            Binaries::of(&layout).copy(root.path(), &owner).is_err(),
            "a directory is no program"
        );
    }
}
