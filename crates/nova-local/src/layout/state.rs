//! The state directory as a whole: whose it is, which format it has, and making it.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::files::hand_over;
use super::owner::name_of;
use super::{FileError, Layout, Owner, ensure_directory, write_atomic};

/// Version of everything below the state directory.
pub const FORMAT: u64 = 1;
/// Of the state directory: members enter it.
const PLATFORM_MODE: u32 = 0o750;
/// Where some file systems put what a check of theirs finds; in their root from the beginning.
const LOST_AND_FOUND: &str = "lost+found";

/// What stands in `platform.json`.
#[derive(Debug, Serialize, Deserialize)]
struct PlatformFile {
    format: u64,
    platform: String,
    uid: u32,
}

/// The part of `platform.json` that every format has.
#[derive(Debug, Deserialize)]
struct AnyFormat {
    format: u64,
}

/// Why a state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It is somebody else's.
    #[error("the state directory {} belongs to the user {owner:?}, not to {wanted:?}; run nova as that user, or give the platform another name", .path.display())]
    OtherUser {
        /// Which directory.
        path: PathBuf,
        /// Whose it is.
        owner: String,
        /// Whose it should be.
        wanted: String,
    },
    /// Another version of nova made it.
    #[error("the state directory {} has format {found}, and this nova knows format {FORMAT} only; use the nova that made it", .path.display())]
    UnknownFormat {
        /// Which directory.
        path: PathBuf,
        /// Its format.
        found: u64,
    },
    /// It was not made by nova.
    #[error("{} holds files but no platform.json, so nova did not make it; move it away or give the platform another name", .0.display())]
    NotOurs(PathBuf),
    /// Its description cannot be read.
    #[error("{} is damaged; restore it as {{\"format\":{FORMAT},\"platform\":NAME,\"uid\":UID}}, or move the state directory away", .path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A file or directory could not be made or read.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Looks at the state directory and says whether there is one. Changes nothing. An empty one of the caller's own is none yet: a
/// file system that was mounted for the platform belongs to root.
///
/// # Errors
/// When it belongs to somebody else, has an unknown format, is damaged or cannot be read.
pub fn examine(layout: &Layout, owner: &Owner) -> Result<bool, StateError> {
    let directory = layout.directory();
    let metadata = match fs::symlink_metadata(directory) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(FileError::new("read", directory, error).into()),
    };
    if !metadata.is_dir() {
        return Err(FileError::NotADirectory(directory.to_owned()).into());
    }
    if metadata.uid() == nix::unistd::geteuid().as_raw() && is_empty(directory)? {
        return Ok(false);
    }
    check_owner(directory, metadata.uid(), owner)?;
    let path = layout.platform_file();
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return if is_empty(directory)? {
                Ok(false)
            } else {
                Err(StateError::NotOurs(directory.to_owned()))
            };
        }
        Err(error) => return Err(FileError::new("read", &path, error).into()),
    };
    let damaged = |source| StateError::Damaged {
        path: path.clone(),
        source,
    };
    let AnyFormat { format } = serde_json::from_slice(&text).map_err(damaged)?;
    if format != FORMAT {
        return Err(StateError::UnknownFormat {
            path: directory.to_owned(),
            found: format,
        });
    }
    let file: PlatformFile = serde_json::from_slice(&text).map_err(damaged)?;
    check_owner(directory, file.uid, owner)?;
    Ok(true)
}

/// Makes the state directory, or completes it.
///
/// # Errors
/// As [`examine`], and when something cannot be written.
pub fn create(layout: &Layout, owner: &Owner) -> Result<(), StateError> {
    let complete = examine(layout, owner)?;
    // The root of all platforms stays with whoever made it, and may be the home of the members' user.
    if let Some(root) = layout.directory().parent()
        && !root.exists()
    {
        ensure_directory(root, if owner.is_self() { 0o700 } else { 0o755 }, owner)?;
    }
    ensure_directory(layout.directory(), PLATFORM_MODE, owner)?;
    if !complete {
        hand_over(layout.directory(), PLATFORM_MODE, owner)?;
        let file = PlatformFile {
            format: FORMAT,
            platform: layout.platform(),
            uid: owner.uid,
        };
        let text = serde_json::json!(file).to_string();
        write_atomic(&layout.platform_file(), text.as_bytes(), 0o640, owner)?;
    }
    for directory in [layout.members(), layout.logs(), layout.secrets()] {
        ensure_directory(&directory, 0o700, owner)?;
    }
    ensure_directory(&layout.bin(), 0o750, owner)?;
    Ok(())
}

fn check_owner(directory: &Path, uid: u32, owner: &Owner) -> Result<(), StateError> {
    if uid == owner.uid {
        return Ok(());
    }
    Err(StateError::OtherUser {
        path: directory.to_owned(),
        owner: name_of(uid),
        wanted: owner.name.clone(),
    })
}

fn is_empty(directory: &Path) -> Result<bool, FileError> {
    let unreadable = |error| FileError::new("read", directory, error);
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        if entry.map_err(unreadable)?.file_name() != LOST_AND_FOUND {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

    use std::os::unix::fs::MetadataExt;

    use super::{StateError, create, examine};
    use crate::layout::{Layout, Owner};

    fn me() -> Owner {
        Owner {
            uid: nix::unistd::geteuid().as_raw(),
            gid: nix::unistd::getegid().as_raw(),
            name: "me".into(),
        }
    }

    fn layout() -> (tempfile::TempDir, Layout) {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::at(root.path().join("nova"));
        (root, layout)
    }

    #[test]
    fn nothing_is_no_state_and_a_made_one_is_found() {
        let (_root, layout) = layout();
        assert!(!examine(&layout, &me()).unwrap());
        create(&layout, &me()).unwrap();
        assert!(examine(&layout, &me()).unwrap());
        create(&layout, &me()).unwrap();
    }

    #[test]
    fn an_empty_directory_of_the_callers_is_handed_over() {
        let (_root, layout) = layout();
        std::fs::create_dir_all(layout.directory().join("lost+found")).unwrap();
        let other = Owner {
            uid: me().uid + 1,
            ..me()
        };
        assert!(!examine(&layout, &other).unwrap());
        let given_to = if me().uid == 0 { other } else { me() };
        create(&layout, &given_to).unwrap();
        assert_eq!(std::fs::metadata(layout.directory()).unwrap().uid(), given_to.uid);
        assert!(examine(&layout, &given_to).unwrap());
    }

    #[test]
    fn another_format_is_refused_and_left_as_it_is() {
        let (_root, layout) = layout();
        create(&layout, &me()).unwrap();
        let text = r#"{"format":2,"something":"new"}"#;
        std::fs::write(layout.platform_file(), text).unwrap();
        let error = create(&layout, &me()).unwrap_err();
        assert!(matches!(error, StateError::UnknownFormat { found: 2, .. }), "{error}");
        assert_eq!(std::fs::read_to_string(layout.platform_file()).unwrap(), text);
    }

    #[test]
    fn damage_and_strange_directories_are_refused() {
        let (_root, layout) = layout();
        std::fs::create_dir_all(layout.directory()).unwrap();
        assert!(!examine(&layout, &me()).unwrap(), "an empty directory is no state");
        std::fs::write(layout.directory().join("letter.txt"), "mine").unwrap();
        assert!(matches!(examine(&layout, &me()), Err(StateError::NotOurs(_))));
        std::fs::write(layout.platform_file(), b"\xff{").unwrap();
        assert!(matches!(examine(&layout, &me()), Err(StateError::Damaged { .. })));
    }

    #[test]
    fn the_state_of_another_user_is_refused() {
        let (_root, layout) = layout();
        create(&layout, &me()).unwrap();
        let other = Owner {
            uid: me().uid + 1,
            gid: 0,
            name: "other".into(),
        };
        let error = examine(&layout, &other).unwrap_err();
        assert!(matches!(error, StateError::OtherUser { .. }), "{error}");
    }
}
