//! Patroni in a virtual environment of its own, made with the distribution's Python: the members' user must be able to
//! read it, and nobody's other Python packages can break it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::Finding;
use super::command::run;
use super::install::InstallError;
use super::place;

const NAME: &str = "patroni-4.1.5";
const WANTED: &str = "4.1.5 as pinned";
const REQUIREMENTS: &str = include_str!("../../install/patroni-requirements.txt");
const BUILD_REQUIREMENTS: &str = include_str!("../../install/patroni-build-requirements.txt");
/// Written last: what has it is whole.
const MARKER: &str = ".nova-complete";
const PYTHON: &str = "/usr/bin/python3";
const LIMIT: Duration = Duration::from_secs(600);

pub(super) fn look() -> (Finding, Option<PathBuf>) {
    let found = place::candidates(NAME)
        .into_iter()
        .find(|directory| is_whole(directory));
    let program = found.map(|directory| directory.join("bin/patroni"));
    let finding = Finding {
        name: "Patroni".to_owned(),
        ok: program.is_some(),
        found: program
            .as_ref()
            .map(|program| format!("4.1.5 in {}", program.display())),
        wanted: WANTED.to_owned(),
        why: "it decides which PostgreSQL leads".to_owned(),
        install: "nova doctor --install".to_owned(),
    };
    (finding, program)
}

/// Makes the environment, unless it is there. It cannot be moved once made, so it is made in place, and counts only with
/// its marker.
pub(super) fn install(say: &mut dyn FnMut(&str)) -> Result<(), InstallError> {
    if look().1.is_some() {
        return Ok(());
    }
    let directory = place::own().ok_or(InstallError::NoHome)?.join(NAME);
    say(&format!("installing Patroni into {}", directory.display()));
    let lost = |source| InstallError::File {
        path: directory.clone(),
        source,
    };
    if directory.exists() {
        fs::remove_dir_all(&directory).map_err(lost)?;
    }
    shell(
        "mkdir -p \"$1\" && \"$2\" -m venv \"$1\"",
        &[&directory, Path::new(PYTHON)],
        say,
    )?;
    for (name, content) in [("build.txt", BUILD_REQUIREMENTS), ("requirements.txt", REQUIREMENTS)] {
        let file = directory.join(name);
        fs::write(&file, content).map_err(|source| InstallError::File {
            path: file.clone(),
            source,
        })?;
        let install = "\"$1/bin/python\" -m pip install --quiet --no-input --disable-pip-version-check --no-deps \
                       --no-build-isolation --require-hashes --requirement \"$2\"";
        shell(install, &[&directory, &file], say)?;
    }
    let marker = directory.join(MARKER);
    fs::write(&marker, digest()).map_err(|source| InstallError::File { path: marker, source })?;
    if is_whole(&directory) {
        Ok(())
    } else {
        Err(InstallError::Unreadable { path: directory })
    }
}

/// Under a mask that leaves the result readable for the members' user, whatever mask we were started with.
fn shell(script: &str, arguments: &[&Path], say: &mut dyn FnMut(&str)) -> Result<(), InstallError> {
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", &format!("umask 022; {script}"), "sh"])
        .args(arguments);
    Ok(run(&mut command, LIMIT, say)?)
}

fn is_whole(directory: &Path) -> bool {
    let marker = directory.join(MARKER);
    let same = fs::read_to_string(marker).is_ok_and(|content| content == digest());
    let program = directory.join("bin/patroni");
    same && program.is_file() && (!nix::unistd::geteuid().is_root() || place::is_open_to_all(&program))
}

fn digest() -> String {
    let digest = Sha256::digest(format!("{BUILD_REQUIREMENTS}{REQUIREMENTS}"));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
