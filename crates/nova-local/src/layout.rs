//! Where a platform keeps its state on this machine. The only module of this crate that reads the environment.
//!
//! ```text
//! <root>/<platform>/
//!   platform.json       which format and whose this is
//!   secrets.json        passwords and keys
//!   members.json        what the supervisor keeps running
//!   supervisor.{lock,sock,log}
//!   command.lock        held while a deploy or cleanup works
//!   members/<member>/   its working directory: configuration and data
//!   logs/<member>.log and <member>.previous.log
//!   bin/<name>-<hash>   copies of our own programs, readable by the members' user
//!   secrets/<name>      files that services read
//! ```

mod files;
mod owner;
mod state;

use std::path::{Path, PathBuf};

pub use files::{FileError, ensure_directory, remove_if_present, write_atomic};
pub(crate) use owner::name_of;
pub use owner::{Owner, OwnerError};
pub use state::{FORMAT, StateError, create, examine};

/// Directory of all platforms when root deploys; the home of the members' user.
const SYSTEM_ROOT: &str = "/var/lib/nova";

/// The paths of one platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    directory: PathBuf,
}

/// Why there is no place for state.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// Neither variable names a directory.
    #[error("no place for state: neither XDG_STATE_HOME nor HOME names an absolute directory; set one of them")]
    NoHome,
    /// State holds JSON, which can name no such path.
    #[error("the state directory {} is not valid UTF-8; set XDG_STATE_HOME to a directory that is", .0.display())]
    NotUtf8(PathBuf),
}

impl Layout {
    /// The paths of a platform under the directory that belongs to this user.
    ///
    /// # Errors
    /// When the environment names no home directory.
    pub fn of(platform: &str) -> Result<Self, RootError> {
        let root = if nix::unistd::geteuid().is_root() {
            PathBuf::from(SYSTEM_ROOT)
        } else {
            user_root(std::env::var_os("XDG_STATE_HOME"), std::env::var_os("HOME")).ok_or(RootError::NoHome)?
        };
        if root.to_str().is_none() {
            return Err(RootError::NotUtf8(root));
        }
        Ok(Self::at(root.join(platform)))
    }

    /// The paths below a known state directory.
    pub fn at(directory: impl AsRef<Path>) -> Self {
        Self {
            directory: without_links(directory.as_ref()),
        }
    }

    /// The platform's state directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The platform's name, as the state directory is called.
    #[must_use]
    pub fn platform(&self) -> String {
        let name = self.directory.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// Format version and owner of the state directory.
    #[must_use]
    pub fn platform_file(&self) -> PathBuf {
        self.directory.join("platform.json")
    }

    /// Passwords and keys.
    #[must_use]
    pub fn secrets_file(&self) -> PathBuf {
        self.directory.join("secrets.json")
    }

    /// What was deployed last.
    #[must_use]
    pub fn deployed_file(&self) -> PathBuf {
        self.directory.join("deployed.json")
    }

    /// What the supervisor keeps running.
    #[must_use]
    pub fn members_file(&self) -> PathBuf {
        self.directory.join("members.json")
    }

    /// Written when etcd's cluster was formed: there must never be a second one.
    #[must_use]
    pub fn etcd_mark(&self) -> PathBuf {
        self.directory.join("etcd-cluster")
    }

    /// Held by the one supervisor.
    #[must_use]
    pub fn supervisor_lock(&self) -> PathBuf {
        self.directory.join("supervisor.lock")
    }

    /// Where the supervisor listens.
    #[must_use]
    pub fn supervisor_socket(&self) -> PathBuf {
        self.directory.join("supervisor.sock")
    }

    /// What the supervisor says.
    #[must_use]
    pub fn supervisor_log(&self) -> PathBuf {
        self.directory.join("supervisor.log")
    }

    /// Held by the one command that changes the platform.
    #[must_use]
    pub fn command_lock(&self) -> PathBuf {
        self.directory.join("command.lock")
    }

    /// The members' directories.
    #[must_use]
    pub fn members(&self) -> PathBuf {
        self.directory.join("members")
    }

    /// A member's working directory.
    #[must_use]
    pub fn member(&self, member: &str) -> PathBuf {
        self.members().join(member)
    }

    /// The members' logs.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.directory.join("logs")
    }

    /// What a member wrote since its last start.
    #[must_use]
    pub fn log(&self, member: &str) -> PathBuf {
        self.logs().join(format!("{member}.log"))
    }

    /// What a member wrote before that.
    #[must_use]
    pub fn previous_log(&self, member: &str) -> PathBuf {
        self.logs().join(format!("{member}.previous.log"))
    }

    /// Copies of our own programs.
    #[must_use]
    pub fn bin(&self) -> PathBuf {
        self.directory.join("bin")
    }

    /// Files that services read their passwords and keys from.
    #[must_use]
    pub fn secrets(&self) -> PathBuf {
        self.directory.join("secrets")
    }
}

/// The same path as the kernel tells it of a process that works there; what does not exist yet has no links either.
fn without_links(path: &Path) -> PathBuf {
    let known = path.ancestors().find_map(|ancestor| {
        let rest = path.strip_prefix(ancestor).ok()?;
        let ancestor = ancestor.canonicalize().ok()?;
        Some(if rest.as_os_str().is_empty() {
            ancestor
        } else {
            ancestor.join(rest)
        })
    });
    known.unwrap_or_else(|| path.to_owned())
}

/// The XDG base directory rules: a relative path counts as unset.
fn user_root(state_home: Option<std::ffi::OsString>, home: Option<std::ffi::OsString>) -> Option<PathBuf> {
    let absolute = |path: Option<std::ffi::OsString>| path.map(PathBuf::from).filter(|path| path.is_absolute());
    let state_home = absolute(state_home).or_else(|| absolute(home).map(|home| home.join(".local/state")))?;
    Some(state_home.join("nova"))
}

#[cfg(test)]
mod tests {
    use super::{Layout, user_root};
    use std::path::PathBuf;

    #[test]
    fn state_goes_where_xdg_says() {
        let root = |state: Option<&str>, home: Option<&str>| user_root(state.map(Into::into), home.map(Into::into));
        assert_eq!(root(Some("/s"), Some("/h")), Some(PathBuf::from("/s/nova")));
        assert_eq!(root(None, Some("/h")), Some(PathBuf::from("/h/.local/state/nova")));
        assert_eq!(
            root(Some("relative"), Some("/h")),
            Some(PathBuf::from("/h/.local/state/nova"))
        );
        assert_eq!(root(None, Some("")), None);
        assert_eq!(root(None, None), None);
    }

    #[test]
    fn links_on_the_way_are_followed() {
        let root = tempfile::tempdir().expect("a directory");
        let real = root.path().canonicalize().expect("a path").join("real");
        std::fs::create_dir(&real).expect("made");
        let link = root.path().join("link");
        std::os::unix::fs::symlink(&real, &link).expect("linked");
        assert_eq!(Layout::at(link.join("nova")).directory(), real.join("nova"));
    }

    #[test]
    fn a_layout_knows_its_platform() {
        assert_eq!(Layout::at("/var/lib/nova/staging").platform(), "staging");
    }
}
