//! Installing what is missing, step by step. Each step looks first whether it is done, so that an interrupted installation
//! goes on where it was.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::unistd::User;
use nova_platform::spec::Spec;

use super::command::run;
use super::error::InstallError;
use super::{apt, kafka, patroni, programs};

/// Installs what is missing and says so line by line. Safe to repeat.
///
/// # Errors
/// When a step fails; the steps before it are done.
pub fn install(spec: &Spec, say: &mut dyn FnMut(&str)) -> Result<(), InstallError> {
    let mut packages = programs::missing_packages(spec);
    if patroni::look().1.is_none() {
        // The module for virtual environments is a package of its own in Debian, and cannot be seen by its files.
        if !Path::new("/usr/bin/python3").exists() || !has_venv() {
            packages.push("python3-venv");
        }
    }
    if kafka::lacks_maven() {
        packages.push("maven");
    }
    // Only root can cut a node off, and nothing else needs it.
    if nix::unistd::geteuid().is_root() && crate::partition::lacks_program() {
        packages.push("nftables");
    }
    let user = Some(&spec.local.user).filter(|user| !matches!(User::from_name(user), Ok(Some(_))));
    if nix::unistd::geteuid().is_root() {
        if !packages.is_empty() {
            apt::install(&packages, say)?;
        }
        if let Some(user) = user {
            make_user(user, say)?;
        }
    } else if !packages.is_empty() {
        return as_root(&packages, say);
    }
    patroni::install(say)?;
    kafka::install(programs::java(), say)
}

fn has_venv() -> bool {
    super::command::ask(Command::new("/usr/bin/python3").args(["-c", "import venv, ensurepip; print('yes')"]))
        .is_ok_and(|said| said.trim() == "yes")
}

fn make_user(name: &str, say: &mut dyn FnMut(&str)) -> Result<(), InstallError> {
    say(&format!("making the system user {name}"));
    let mut command = Command::new("/usr/sbin/useradd");
    command.args([
        "--system",
        "--user-group",
        "--no-create-home",
        "--home-dir",
        "/var/lib/nova",
        "--shell",
        "/usr/sbin/nologin",
    ]);
    Ok(run(command.arg(name), Duration::from_secs(30), say)?)
}

/// Does the whole installation as root when sudo asks for no password; what it installs is found by everybody.
fn as_root(packages: &[&str], say: &mut dyn FnMut(&str)) -> Result<(), InstallError> {
    let program = std::env::current_exe()
        .and_then(fs::canonicalize)
        .unwrap_or_else(|_| "nova".into());
    let sudo_works = run(
        Command::new("sudo").args(["-n", "true"]),
        Duration::from_secs(5),
        &mut |_| (),
    )
    .is_ok();
    if !sudo_works {
        return Err(InstallError::NeedsRoot {
            what: packages.join(", "),
            command: format!("sudo {} doctor --install", program.display()),
        });
    }
    say("installing as root, through sudo");
    let mut command = Command::new("sudo");
    command.arg("-n").arg(program).args(["doctor", "--install"]);
    Ok(run(&mut command, Duration::from_secs(3600), say)?)
}
