//! Patroni in a virtual environment of its own, made with the distribution's Python: the members' user must be able to
//! read it, and nobody's other Python packages can break it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::Finding;
use super::command::{CommandError, ask, run};
use super::error::InstallError;
use super::place;

const NAME: &str = "patroni-4.1.5";
const WANTED: &str = "4.1.5 as pinned";
const REQUIREMENTS: &str = include_str!("../../install/patroni-requirements.txt");
const BUILD_REQUIREMENTS: &str = include_str!("../../install/patroni-build-requirements.txt");
/// Written last: what has it is whole.
const MARKER: &str = ".nova-complete";
const PYTHON: &str = "/usr/bin/python3";
/// Everything that it needs to work, from its own packages alone, in its own order: its modules import each other in circles.
const PROBE: &str = "import patroni.__main__, patroni.dcs.etcd3, patroni.postgresql, patroni.ha, patroni.api
import psycopg, yaml, urllib3, dateutil.tz
from patroni.version import __version__
print('patroni', __version__)";
const ANSWER: &str = "patroni 4.1.5";
/// Environments that were seen to work by this process.
static PROVED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
const LIMIT: Duration = Duration::from_secs(600);

/// It is run, and not only looked at: an upgrade of the distribution takes the Python away that it was made for, and leaves the rest.
pub(super) fn look() -> (Finding, Option<PathBuf>) {
    let mut broken = None;
    for directory in place::candidates(NAME) {
        if !is_whole(&directory) {
            continue;
        }
        let program = directory.join("bin/patroni");
        match runs(&directory) {
            Ok(()) => {
                let found = format!("4.1.5 in {}", program.display());
                return (finding(Some(found), true), Some(program));
            }
            Err(why) => broken = Some(format!("{} does not run: {why}", program.display())),
        }
    }
    (finding(broken, false), None)
}

fn finding(found: Option<String>, ok: bool) -> Finding {
    Finding {
        name: "Patroni".to_owned(),
        ok,
        found,
        wanted: WANTED.to_owned(),
        why: "it decides which PostgreSQL leads".to_owned(),
        install: "nova doctor --install".to_owned(),
    }
}

/// Whether everything of it can be loaded, or why not. What takes too long is given the benefit of the doubt.
fn runs(directory: &Path) -> Result<(), String> {
    let mut proved = PROVED.lock().unwrap_or_else(PoisonError::into_inner);
    if proved.iter().any(|known| known == directory) {
        return Ok(());
    }
    let said = match ask(Command::new(directory.join("bin/python")).args(["-I", "-c", PROBE])) {
        Ok(said) => said,
        Err(CommandError::TooLong { .. }) => return Ok(()),
        Err(CommandError::Start { source, program }) => return Err(format!("{program}: {source}")),
        Err(error) => return Err(error.to_string()),
    };
    if said.lines().any(|line| line.trim() == ANSWER) {
        proved.push(directory.to_owned());
        return Ok(());
    }
    Err(said.lines().last().unwrap_or("it says nothing").to_owned())
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn environment(python: &str) -> Result<tempfile::TempDir, std::io::Error> {
        let directory = tempfile::tempdir()?;
        fs::create_dir(directory.path().join("bin"))?;
        let program = directory.path().join("bin/python");
        fs::write(&program, format!("#!/bin/sh\n{python}\n"))?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        Ok(directory)
    }

    #[test]
    fn what_can_be_loaded_runs_whatever_else_is_said() -> Result<(), Box<dyn std::error::Error>> {
        let whole = environment("echo 'DeprecationWarning: 3.14' >&2; echo 'patroni 4.1.5'")?;
        assert_eq!(runs(whole.path()), Ok(()));
        Ok(())
    }

    /// `./test` installs it first, so this is the real one there.
    #[test]
    fn what_was_installed_can_be_loaded() {
        for directory in place::candidates(NAME)
            .into_iter()
            .filter(|directory| is_whole(directory))
        {
            assert_eq!(runs(&directory), Ok(()), "{}", directory.display());
        }
    }

    #[test]
    fn half_an_environment_is_told_with_its_last_words() -> Result<(), Box<dyn std::error::Error>> {
        let half =
            environment("echo Traceback >&2; echo \"ModuleNotFoundError: No module named 'patroni'\" >&2; exit 1")?;
        let why = runs(half.path()).expect_err("it cannot be loaded");
        assert!(why.contains("No module named 'patroni'"), "{why}");

        // Its Python went with the old distribution.
        let gone = environment("")?;
        fs::remove_file(gone.path().join("bin/python"))?;
        symlink("/usr/bin/python3.no-more", gone.path().join("bin/python"))?;
        let why = runs(gone.path()).expect_err("there is no Python");
        assert!(why.contains("bin/python"), "{why}");
        Ok(())
    }
}
