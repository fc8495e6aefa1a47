//! What a Redis server finds of its last life: nothing, data, or data that it cannot load.
//!
//! A disk that is full for a moment damages them: Redis (seen with 7.0.15) cuts off what it could not write whole, and goes on writing
//! behind the place where that would have ended. The hole of zeros is noticed at the next start only, which refuses such a file, each
//! time. A replica needs none of it: its master sends everything anew.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::names::{DIRECTORY, MANIFEST, last_write};
use super::source::{MARK, Source};
use crate::error::StartError;
use crate::files::file_error;

/// Redis's program is also this one, when it is called by its name: it reads what the server of the same version would load.
const CHECK: &str = "redis-check-aof";
/// Longest time for that. It reads about as fast as the server loads.
const CHECKED_WITHIN: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);

/// What there is of the last life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Data {
    /// Redis never wrote anything here.
    Nothing,
    /// As far as anybody knows, it can be loaded.
    Loadable,
    /// The last start did not load it, and no other one would.
    Damaged,
}

impl Data {
    /// Looks at what a directory of data is begun from. It is checked only when nothing was written since the last start began: whoever wrote has loaded,
    /// and a last write that was cut short, which a killed server leaves, is loadable but no different to the check.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub(super) fn look(directory: &Path, source: Source, server: &Path) -> Result<Self, StartError> {
        match source {
            Source::Nothing => return Ok(Self::Nothing),
            Source::Snapshot => return Ok(Self::Loadable),
            Source::Appended => {}
        }
        let try_look = || -> io::Result<Self> {
            let started = match fs::metadata(directory.join(MARK)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::Loadable),
                mark => mark?.modified()?,
            };
            if last_write(&directory.join(DIRECTORY))? > Some(started) || is_sound(directory, server)? {
                return Ok(Self::Loadable);
            }
            Ok(Self::Damaged)
        };
        try_look().map_err(|error| file_error(directory, error))
    }

    /// Takes away what its master will send anew.
    pub(super) fn remove(directory: &Path) -> Result<(), StartError> {
        let path = directory.join(DIRECTORY);
        fs::remove_dir_all(&path).map_err(|error| file_error(&path, error))
    }
}

/// Whether Redis's own check finds nothing wrong, or does not end in time.
fn is_sound(directory: &Path, server: &Path) -> io::Result<bool> {
    let mut check = Command::new(server)
        .arg0(CHECK)
        .arg(MANIFEST)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let until = Instant::now() + CHECKED_WITHIN;
    while Instant::now() < until {
        if let Some(status) = check.try_wait()? {
            return Ok(status.success());
        }
        thread::sleep(PAUSE);
    }
    check.kill()?;
    check.wait()?;
    Ok(true)
}

#[cfg(test)]
mod tests;
