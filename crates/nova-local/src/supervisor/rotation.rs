//! Keeps logs bounded. Their writers hold them open for appending, so a log is copied away and emptied, never renamed:
//! a PostgreSQL that outlives its Patroni goes on writing into the log that people read.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Pause between two looks at the sizes.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Size at which the supervisor's own log is rotated.
const OWN_LOG: u64 = 4 << 20;

/// A log, its predecessor, and the size at which it is rotated.
pub(super) type Log = (PathBuf, PathBuf, u64);

/// Rotates every log that has grown too large, for ever: those of `all`, which is asked each time, and the supervisor's own.
pub(super) async fn rotate_large_logs(own: PathBuf, all: impl Fn() -> Vec<Log>) {
    let mut look = tokio::time::interval(LOOK_EVERY);
    loop {
        look.tick().await;
        for (log, previous, limit) in all() {
            rotate_when(&log, &previous, limit);
        }
        rotate_when(&own, &own.with_extension("previous.log"), OWN_LOG);
    }
}

fn rotate_when(log: &Path, previous: &Path, limit: u64) {
    let large = fs::metadata(log).is_ok_and(|metadata| metadata.len() > limit);
    if large && let Err(error) = rotate(log, previous) {
        tracing::warn!(log = %log.display(), %error, "cannot rotate");
    }
}

/// Moves the content of a log to the previous one. What is written between the copy and the emptying is lost.
pub(super) fn rotate(log: &Path, previous: &Path) -> io::Result<()> {
    match fs::metadata(log) {
        Ok(metadata) if metadata.len() > 0 => {}
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    // On a full disk the old lines are given up: an unbounded log would be worse.
    let copied = fs::copy(log, previous);
    OpenOptions::new().write(true).open(log)?.set_len(0)?;
    copied.map(|_| ())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

    use super::{rotate, rotate_when};
    use std::fs::OpenOptions;
    use std::io::Write;

    #[test]
    fn a_writer_goes_on_in_the_emptied_log() {
        let directory = tempfile::tempdir().unwrap();
        let (log, previous) = (directory.path().join("m.log"), directory.path().join("m.previous.log"));
        rotate(&log, &previous).unwrap();
        let mut writer = OpenOptions::new().create(true).append(true).open(&log).unwrap();
        writer.write_all(b"old\n").unwrap();
        rotate_when(&log, &previous, 4);
        assert!(!previous.exists(), "not larger than the limit");
        rotate_when(&log, &previous, 3);
        writer.write_all(b"new\n").unwrap();
        assert_eq!(std::fs::read(&previous).unwrap(), b"old\n");
        assert_eq!(std::fs::read(&log).unwrap(), b"new\n");
    }
}
