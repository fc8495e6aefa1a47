//! Makes again what is the supervisor's own and was removed under it: its socket, without which nobody reaches it; its lock, without
//! which a second supervisor could begin; its notes, without which the next one knows no member.
//!
//! Nothing is made where the state directory itself is gone: with it went the secrets, and only a cleanup and a deploy help.

use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use nova_platform::explained::explained;
use tokio::net::UnixListener;
use tokio::time::sleep;

use super::SUPERVISOR;
use super::address::short_socket_path;
use super::keeper::House;
use super::lock::{LockError, LockFile};
use crate::layout::remove_if_present;

/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A socket that is listened on, and the file that it had when it was made.
pub(super) struct Socket {
    pub(super) listener: UnixListener,
    file: (u64, u64),
}

/// What a look can end with.
pub(super) enum Lost {
    /// The socket's file is gone or another's: listen again.
    Socket,
    /// Another supervisor has the lock.
    Place,
}

/// Listens on the supervisor's socket, whatever stood there before.
pub(super) fn listen(socket: &Path) -> io::Result<Socket> {
    let (path, _directory) = short_socket_path(socket)?;
    let _ = remove_if_present(socket);
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600))?;
    let file = file(socket).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
    Ok(Socket { listener, file })
}

/// Looks from time to time; makes lock and notes again by itself, and returns when the caller must do something.
pub(super) async fn watch(house: &House, lock: &mut LockFile, socket: (u64, u64)) -> Lost {
    let layout = house.layout();
    loop {
        sleep(LOOK_EVERY).await;
        if !layout.platform_file().exists() {
            continue;
        }
        let path = layout.supervisor_lock();
        if !lock.is_at(&path) {
            match LockFile::take(&path, SUPERVISOR) {
                Ok(taken) => *lock = taken,
                Err(LockError::Held { .. }) => return Lost::Place,
                Err(error) => tracing::warn!(error = explained(&error), "cannot make its lock again"),
            }
        }
        if !layout.members_file().exists()
            && let Err(error) = house.note_again()
        {
            tracing::warn!(error = explained(&error), "cannot write its notes again");
        }
        if file(&layout.supervisor_socket()) != Some(socket) {
            return Lost::Socket;
        }
    }
}

impl Socket {
    /// Device and inode.
    pub(super) fn file(&self) -> (u64, u64) {
        self.file
    }
}

fn file(path: &Path) -> Option<(u64, u64)> {
    let metadata = std::fs::symlink_metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}
