//! Installing packages without starting what they bring: this platform runs programs of its own, and a second Redis or
//! PostgreSQL in the background would only take memory and ports.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::time::Duration;

use super::command::{CommandError, run};
use super::error::InstallError;
use super::packages;

/// Debian asks this program whether a service may start.
const POLICY: &str = "/usr/sbin/policy-rc.d";
const POLICY_MARK: &str = "# made by nova doctor";
const CLUSTER_CONFIG: &str = "/etc/postgresql-common/createcluster.conf";
const LIMIT: Duration = Duration::from_secs(1800);

/// Installs packages. Needs root.
pub(super) fn install(wanted: &[&str], say: &mut dyn FnMut(&str)) -> Result<(), InstallError> {
    if !Path::new("/usr/bin/apt-get").exists() {
        return Err(InstallError::NoApt {
            packages: wanted.join(" "),
        });
    }
    say(&format!("installing {}", wanted.join(" ")));
    let before = packages::installed();
    let guard = Policy::forbid_starts()?;
    apt(&["update"], say)?;
    let cluster = if wanted.contains(&"postgresql") && !before.contains("postgresql-common") {
        apt(&["install", "postgresql-common"], say)?;
        Some(ClusterConfig::without_main_cluster()?)
    } else {
        None
    };
    let arguments: Vec<&str> = ["install"].into_iter().chain(wanted.iter().copied()).collect();
    let done = apt(&arguments, say);
    drop(cluster);
    drop(guard);
    // Also when it failed half-way: what did arrive must not start with the machine.
    let after = packages::installed();
    disable(&packages::services(after.difference(&before)), say);
    done
}

fn apt(arguments: &[&str], say: &mut dyn FnMut(&str)) -> Result<(), InstallError> {
    let mut command = Command::new("/usr/bin/apt-get");
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("LC_ALL", "C.UTF-8");
    // Another apt may be at work, as unattended upgrades are on a fresh machine.
    command.args([
        "--yes",
        "--quiet",
        "--no-install-recommends",
        "-o",
        "DPkg::Lock::Timeout=300",
        "-o",
        "Dpkg::Use-Pty=0",
    ]);
    run(command.args(arguments), LIMIT, say).map_err(|error| match error {
        CommandError::Failed { .. } | CommandError::TooLong { .. } => InstallError::Apt { source: error },
        other => other.into(),
    })
}

/// Only services of packages that were not there before.
fn disable(services: &[String], say: &mut dyn FnMut(&str)) {
    if services.is_empty() {
        return;
    }
    for mut command in disabling(services) {
        if let Err(error) = run(&mut command, Duration::from_secs(120), &mut |_| ()) {
            say(&format!("could not disable {}: {error}", services.join(" ")));
        }
    }
}

/// Without systemd, Debian's helpers write down the same for it and for System V's init, so that nothing starts by itself
/// on the day when one of them is in use.
fn disabling(services: &[String]) -> Vec<Command> {
    let mut commands = Vec::new();
    if ["/usr/bin/systemctl", "/bin/systemctl"]
        .iter()
        .any(|path| Path::new(path).exists())
    {
        let mut command = Command::new("systemctl");
        command.arg("disable");
        if Path::new("/run/systemd/system").exists() {
            command.arg("--now");
        }
        command.args(services);
        commands.push(command);
        return commands;
    }
    let mut command = Command::new("deb-systemd-helper");
    // It works for nobody but a package.
    command
        .env("DPKG_MAINTSCRIPT_PACKAGE", "nova")
        .arg("disable")
        .args(services);
    commands.push(command);
    for name in services.iter().filter_map(|service| service.strip_suffix(".service")) {
        if Path::new("/etc/init.d").join(name).exists() {
            let mut command = Command::new("update-rc.d");
            command.args([name, "disable"]);
            commands.push(command);
        }
    }
    commands
}

/// Forbids starts for as long as this process lives: even when it is killed, what it leaves behind permits everything and
/// takes itself away. A policy that somebody else made is left alone.
struct Policy {
    path: Option<PathBuf>,
}

impl Policy {
    fn forbid_starts() -> Result<Self, InstallError> {
        Self::at(Path::new(POLICY))
    }

    fn at(path: &Path) -> Result<Self, InstallError> {
        let lost = |source| InstallError::File {
            path: path.to_owned(),
            source,
        };
        match fs::read_to_string(path) {
            Ok(text) if text.contains(POLICY_MARK) => (),
            Err(error) if error.kind() == io::ErrorKind::NotFound => (),
            _ => return Ok(Self { path: None }),
        }
        let pid = process::id();
        let script = format!("#!/bin/sh\n{POLICY_MARK}\n[ -d /proc/{pid} ] && exit 101\nrm -f -- \"$0\"\nexit 0\n");
        let fresh = path.with_extension("nova-new");
        fs::write(&fresh, script).map_err(lost)?;
        fs::set_permissions(&fresh, fs::Permissions::from_mode(0o755)).map_err(lost)?;
        fs::rename(&fresh, path).map_err(lost)?;
        Ok(Self {
            path: Some(path.to_owned()),
        })
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // Should this fail, the script takes itself away once we are gone.
            let _ = fs::remove_file(path);
        }
    }
}

/// Keeps Debian from making a database cluster of its own, and puts its configuration back afterwards.
struct ClusterConfig {
    before: Option<Vec<u8>>,
}

impl ClusterConfig {
    fn without_main_cluster() -> Result<Self, InstallError> {
        let lost = |source| InstallError::File {
            path: CLUSTER_CONFIG.into(),
            source,
        };
        let before = match fs::read(CLUSTER_CONFIG) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(lost(error)),
        };
        let mut changed = before.clone().unwrap_or_default();
        changed.extend_from_slice(b"\ncreate_main_cluster = false\n");
        fs::write(CLUSTER_CONFIG, changed).map_err(lost)?;
        Ok(Self { before })
    }
}

impl Drop for ClusterConfig {
    fn drop(&mut self) {
        // Should this fail, PostgreSQL's packages make no cluster by themselves in future either, which harms nobody.
        let _ = match &self.before {
            Some(bytes) => fs::write(CLUSTER_CONFIG, bytes),
            None => fs::remove_file(CLUSTER_CONFIG),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_forbids_only_while_we_live_and_spares_others() -> Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("policy-rc.d");
        let policy = Policy::at(&path)?;
        assert_eq!(Command::new("/bin/sh").arg(&path).status()?.code(), Some(101));
        drop(policy);
        assert!(!path.exists());

        // One that a killed installation left behind permits everything and goes away.
        let dead = format!("#!/bin/sh\n{POLICY_MARK}\n[ -d /proc/999999999 ] && exit 101\nrm -f -- \"$0\"\nexit 0\n");
        fs::write(&path, &dead)?;
        assert_eq!(Command::new("/bin/sh").arg(&path).status()?.code(), Some(0));
        assert!(!path.exists());

        fs::write(&path, "#!/bin/sh\nexit 104\n")?;
        drop(Policy::at(&path)?);
        assert_eq!(fs::read_to_string(&path)?, "#!/bin/sh\nexit 104\n");
        Ok(())
    }
}
