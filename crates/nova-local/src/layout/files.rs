//! Files that are either whole or not there, and directories with the right owner.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::Owner;

/// Why a file or directory could not be made, read or removed.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Nothing more fits.
    #[error("cannot write {}: the disk is full; free some space there and run the command again", .0.display())]
    DiskFull(PathBuf),
    /// This user may not.
    #[error("cannot {what} {}: not permitted; it must belong to the user who runs nova", .path.display())]
    NotPermitted {
        /// Verb.
        what: &'static str,
        /// Which file.
        path: PathBuf,
    },
    /// Something else is in the way.
    #[error("{} is not a directory; move it away and run the command again", .0.display())]
    NotADirectory(PathBuf),
    /// Anything else.
    #[error("cannot {what} {}", .path.display())]
    Io {
        /// Verb.
        what: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl FileError {
    pub(crate) fn new(what: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::DiskFull(path),
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Self::NotPermitted { what, path },
            _ => Self::Io { what, path, source },
        }
    }
}

/// Replaces a file's content, so that whoever reads it sees the old or the new one, also after a power failure.
/// Says whether anything had to be written.
///
/// # Errors
/// When the file cannot be written; then the old one is still there.
pub fn write_atomic(path: &Path, content: &[u8], mode: u32, owner: &Owner) -> Result<bool, FileError> {
    if is_as_wanted(path, content, mode, owner) {
        return Ok(false);
    }
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    let temporary = path.with_file_name(format!(".{name}.{}.{number}.tmp", std::process::id()));
    let written = write_new(&temporary, content, mode, owner)
        .and_then(|()| fs::rename(&temporary, path))
        .and_then(|()| sync_parent(path));
    if let Err(source) = written {
        let _ = fs::remove_file(&temporary);
        return Err(FileError::new("write", path, source));
    }
    Ok(true)
}

fn is_as_wanted(path: &Path, content: &[u8], mode: u32, owner: &Owner) -> bool {
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return false;
    };
    metadata.is_file()
        && metadata.len() == content.len() as u64
        && metadata.mode() & 0o7777 == mode
        && metadata.uid() == owner.uid
        && fs::read(path).is_ok_and(|present| present == content)
}

fn write_new(path: &Path, content: &[u8], mode: u32, owner: &Owner) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    if let Some((uid, gid)) = owner.to_hand_over() {
        std::os::unix::fs::fchown(&file, Some(uid.as_raw()), Some(gid.as_raw()))?;
    }
    file.set_permissions(Permissions::from_mode(mode))?;
    file.write_all(content)?;
    file.sync_all()
}

/// Makes a rename last.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

/// Makes a directory, its parents too, with this mode and owner; those that are there already keep theirs.
///
/// # Errors
/// When it cannot be made, or something else is there. A symbolic link counts as something else: members could plant one.
pub fn ensure_directory(path: &Path, mode: u32, owner: &Owner) -> Result<(), FileError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => return Ok(()),
        Ok(_) => return Err(FileError::NotADirectory(path.to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(FileError::new("make", path, error)),
    }
    if let Some(parent) = path.parent()
        && !parent.exists()
    {
        ensure_directory(parent, mode, owner)?;
    }
    match DirBuilder::new().mode(mode).create(path) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(FileError::new("make", path, error)),
    }
    hand_over(path, mode, owner)
}

/// Gives a directory to `owner`, with that mode.
///
/// # Errors
/// When that is not the caller's to give.
pub(super) fn hand_over(path: &Path, mode: u32, owner: &Owner) -> Result<(), FileError> {
    let hand_over = || -> io::Result<()> {
        if let Some((uid, gid)) = owner.to_hand_over() {
            std::os::unix::fs::chown(path, Some(uid.as_raw()), Some(gid.as_raw()))?;
        }
        fs::set_permissions(path, Permissions::from_mode(mode))
    };
    hand_over().map_err(|error| FileError::new("make", path, error))
}

/// Removes a file or a whole directory, if there is one.
///
/// # Errors
/// When it cannot be removed.
pub fn remove_if_present(path: &Path) -> Result<(), FileError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(FileError::new("remove", path, error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

    use super::{Owner, ensure_directory, write_atomic};
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    fn me() -> Owner {
        Owner {
            uid: nix::unistd::geteuid().as_raw(),
            gid: nix::unistd::getegid().as_raw(),
            name: "me".into(),
        }
    }

    #[test]
    fn a_file_is_replaced_whole_and_left_alone_when_equal() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        assert!(write_atomic(&path, b"one", 0o600, &me()).unwrap());
        let inode = std::fs::metadata(&path).unwrap().ino();
        assert!(!write_atomic(&path, b"one", 0o600, &me()).unwrap());
        assert_eq!(std::fs::metadata(&path).unwrap().ino(), inode);
        assert!(write_atomic(&path, b"two", 0o640, &me()).unwrap());
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o640);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("occupied");
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("child"), b"").unwrap();
        write_atomic(&path, b"new", 0o600, &me()).unwrap_err();
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn directories_get_their_mode_and_symbolic_links_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let nested = directory.path().join("a/b");
        ensure_directory(&nested, 0o700, &me()).unwrap();
        let mode = std::fs::metadata(directory.path().join("a"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o700);
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&nested, &link).unwrap();
        let error = ensure_directory(&link, 0o700, &me()).unwrap_err();
        assert!(error.to_string().contains("is not a directory"), "{error}");
    }
}
