//! Directories of servers: named after the process that they belong to, so that the next run can clean up after one
//! that was killed together with its watchers.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, chown};
use std::path::{Path, PathBuf};
use std::sync::Once;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User, geteuid};
use uuid::Uuid;

const PREFIX: &str = "nova-testkit-";

/// The user that servers run as when the tests run as root, because PostgreSQL refuses root.
pub(crate) const UNPRIVILEGED: &str = "nobody";

/// Makes a directory that the servers' user owns.
pub(crate) fn create(name: &str) -> PathBuf {
    static CLEANED: Once = Once::new();
    CLEANED.call_once(clean);
    let owner = std::process::id();
    let birth = birth(owner).unwrap_or_default();
    let path = root().join(format!("{PREFIX}{owner}-{birth}-{name}-{}", Uuid::new_v4().simple()));
    DirBuilder::new()
        .mode(0o700)
        .create(&path)
        .unwrap_or_else(|error| panic!("cannot create {}: {error}", path.display()));
    if geteuid().is_root() {
        let user = User::from_name(UNPRIVILEGED)
            .ok()
            .flatten()
            .unwrap_or_else(|| panic!("there is no user {UNPRIVILEGED}"));
        chown(&path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).expect("root may give a directory away");
    }
    path
}

fn root() -> PathBuf {
    std::env::temp_dir()
}

/// Removes what runs have left whose process is gone.
fn clean() {
    let Ok(entries) = fs::read_dir(root()) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let mut words = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX))
            .into_iter()
            .flat_map(|rest| rest.split('-'));
        let (Some(owner), Some(started)) = (words.next(), words.next()) else {
            continue;
        };
        let Ok(owner) = owner.parse() else { continue };
        // A process number is used again; a process number with its time of birth is not.
        if birth(owner).is_none_or(|birth| birth.to_string() != started) {
            end_servers(&entry.path());
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Ends the processes whose command line names this directory.
fn end_servers(directory: &Path) {
    let Some(directory) = directory.to_str() else { return };
    let Ok(processes) = fs::read_dir("/proc") else { return };
    for process in processes.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        let command = fs::read(process.path().join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&command).contains(directory) {
            // It may end by itself first.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

/// When a process started, in clock ticks since boot: field 22 of its stat.
fn birth(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name is in parentheses and may contain anything.
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(19)?.parse().ok()
}
