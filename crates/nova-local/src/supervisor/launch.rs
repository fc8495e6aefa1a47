//! Starts a member's main process.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::sys::signal::Signal;

use super::protocol::Launch;
use super::rotation::rotate;
use crate::layout::Layout;
use crate::process::{MEMBER_DIRECTORY, MEMBER_NAME};

/// Starts a member in its own process group, with nothing inherited, writing its own log.
///
/// # Errors
/// In words that name the program or the directory.
pub(super) fn start(layout: &Layout, launch: &Launch) -> Result<Child, String> {
    let member = &launch.member;
    let directory = layout.member(member);
    let log = layout.log(member);
    if let Err(error) = rotate(&log, &layout.previous_log(member)) {
        tracing::warn!(%member, %error, "cannot keep the log of its last start");
    }
    let log_error = |error: io::Error| format!("cannot open its log {}: {error}", log.display());
    // Somebody who makes room may remove them all; no member stays down for that.
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(layout.logs())
        .map_err(log_error)?;
    let out = open_log(&log).map_err(log_error)?;
    let err = out.try_clone().map_err(log_error)?;
    if !directory.is_dir() {
        return Err(format!("cannot start in {}: no such directory", directory.display()));
    }
    Command::new(&launch.program)
        .args(&launch.args)
        .env_clear()
        .envs(&launch.env)
        .env(MEMBER_NAME, format!("{}/{member}", layout.platform()))
        .env(MEMBER_DIRECTORY, &directory)
        .current_dir(&directory)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .spawn()
        .map_err(|error| format!("cannot start {}: {}", launch.program.display(), in_words(&error)))
}

fn open_log(path: &std::path::Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

fn in_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such program".to_owned(),
        io::ErrorKind::PermissionDenied => "not executable for the members' user".to_owned(),
        _ => error.to_string(),
    }
}

/// How a process ended, in words.
pub(super) fn describe_exit(status: ExitStatus) -> String {
    let Some(number) = status.signal() else {
        return format!("exit status {}", status.code().unwrap_or_default());
    };
    let name = Signal::try_from(number).map_or("unknown", Signal::as_str);
    format!("signal {number} ({name})")
}

#[cfg(test)]
mod tests {
    use super::describe_exit;
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    #[test]
    fn ends_are_told_in_words() {
        assert_eq!(describe_exit(ExitStatus::from_raw(256)), "exit status 1");
        assert_eq!(describe_exit(ExitStatus::from_raw(9)), "signal 9 (SIGKILL)");
    }
}
