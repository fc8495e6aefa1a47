//! A process namespace that stands for a container, with nova-member as its first process.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// What is mounted in it, below its home.
const DIRECTORIES: [&str; 4] = ["config", "secrets", "data", "run"];

/// A home with empty directories.
pub(crate) fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    for directory in DIRECTORIES {
        fs::create_dir(home.path().join(directory)).unwrap();
    }
    home
}

/// A program of these lines of shell, which stands for a member's.
pub(crate) fn program(path: &Path, lines: &str) {
    fs::write(path, format!("#!/bin/sh\n{lines}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Runs this member in it, for a minute at most. Everything in it ends with it.
pub(crate) fn container(home: &Path, kind: &str, member: &str) -> Command {
    let mut container = Command::new("timeout");
    container.args([
        "-s",
        "KILL",
        "60",
        "unshare",
        "--pid",
        "--fork",
        "--mount-proc",
        "--kill-child",
    ]);
    if !nix::unistd::geteuid().is_root() {
        container.args(["--user", "--map-root-user"]);
    }
    container.args([env!("CARGO_BIN_EXE_nova-member"), kind, "--member", member]);
    for directory in DIRECTORIES {
        container.arg(format!("--{directory}")).arg(home.join(directory));
    }
    container
}
