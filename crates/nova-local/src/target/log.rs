//! What members wrote.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use nova_platform::target::LogQuery;
use nova_platform::topology::components;

use super::{LocalError, LocalTarget};
use crate::layout::FileError;

/// The supervisor's log goes by this name.
const SUPERVISOR: &str = "supervisor";
/// Longest part of a log that is read at once while following it.
const CHUNK: u64 = 1 << 20;
/// A line longer than this is shown in pieces.
const LONGEST_LINE: usize = 1 << 16;

impl LocalTarget {
    pub(super) fn read_log(&self, member: &str, query: &LogQuery) -> Result<Vec<String>, LocalError> {
        let path = self.log_path(member, query.previous)?;
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(FileError::new("read", &path, error).into()),
        };
        Ok(last_lines(&bytes, query.tail))
    }

    /// Follows a member's log, from the end of what is there now.
    ///
    /// # Errors
    /// When there is no such member.
    pub fn follow(&self, member: &str) -> Result<LogFollower, LocalError> {
        let path = self.log_path(member, false)?;
        Ok(LogFollower::from_end(&path))
    }

    fn log_path(&self, member: &str, previous: bool) -> Result<PathBuf, LocalError> {
        if member == SUPERVISOR {
            let log = self.layout.supervisor_log();
            return Ok(if previous {
                log.with_extension("previous.log")
            } else {
                log
            });
        }
        let known: Vec<String> = components(&self.spec)
            .into_iter()
            .flat_map(|component| component.members)
            .map(|member| member.name)
            .collect();
        // A member that the description no longer has may still have a log; nothing else may be named.
        let is_name = !member.is_empty() && member.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let is_known = known.iter().any(|name| name == member) || is_name && self.layout.log(member).exists();
        if !is_known {
            return Err(LocalError::UnknownMember {
                name: member.to_owned(),
                known: known.join(", "),
            });
        }
        Ok(if previous {
            self.layout.previous_log(member)
        } else {
            self.layout.log(member)
        })
    }
}

/// Whole lines; what is no UTF-8 is shown as a replacement character.
fn last_lines(bytes: &[u8], tail: Option<usize>) -> Vec<String> {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    if bytes.is_empty() {
        return Vec::new();
    }
    let line = |line: &[u8]| String::from_utf8_lossy(line).trim_end_matches('\r').to_owned();
    let mut lines: Vec<String> = match tail {
        Some(tail) => bytes.rsplit(|byte| *byte == b'\n').take(tail).map(line).collect(),
        None => bytes.rsplit(|byte| *byte == b'\n').map(line).collect(),
    };
    lines.reverse();
    lines
}

/// Reads what a log grows by. Poll it a few times a second.
#[derive(Debug)]
pub struct LogFollower {
    path: PathBuf,
    position: u64,
    unfinished: Vec<u8>,
}

impl LogFollower {
    fn from_end(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            position: fs::metadata(path).map_or(0, |metadata| metadata.len()),
            unfinished: Vec::new(),
        }
    }

    /// The lines that were completed since the last call. A log that was emptied is read from its beginning.
    ///
    /// # Errors
    /// When the log is there and cannot be read.
    pub fn poll(&mut self) -> Result<Vec<String>, LocalError> {
        self.read_more()
            .map_err(|error| FileError::new("read", &self.path, error).into())
    }

    fn read_more(&mut self) -> io::Result<Vec<String>> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.position = 0;
                return Ok(Vec::new());
            }
            Err(error) => return Err(error),
        };
        if file.metadata()?.len() < self.position {
            self.position = 0;
        }
        file.seek(SeekFrom::Start(self.position))?;
        let read = file.take(CHUNK).read_to_end(&mut self.unfinished)?;
        self.position += read as u64;
        let complete = match self.unfinished.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => end + 1,
            None if self.unfinished.len() > LONGEST_LINE => self.unfinished.len(),
            None => return Ok(Vec::new()),
        };
        let lines: Vec<u8> = self.unfinished.drain(..complete).collect();
        Ok(last_lines(&lines, None))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

    use super::{LogFollower, last_lines};
    use std::io::Write;

    #[test]
    fn the_tail_is_in_order_and_survives_any_bytes() {
        assert!(last_lines(b"", None).is_empty());
        assert!(last_lines(b"\n", Some(3)).is_empty());
        assert_eq!(last_lines(b"a\nb\nc\n", Some(2)), ["b", "c"]);
        assert_eq!(last_lines(b"a\n\nunfinished", None), ["a", "", "unfinished"]);
        assert_eq!(last_lines(b"\xff\xfe\r\n", None), ["\u{fffd}\u{fffd}"]);
    }

    #[test]
    fn following_sees_whole_new_lines_also_after_a_rotation() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("m.log");
        std::fs::write(&path, "before\n").unwrap();
        let mut follower = LogFollower::from_end(&path);
        assert!(follower.poll().unwrap().is_empty());
        let mut log = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
        log.write_all(b"one\ntw").unwrap();
        assert_eq!(follower.poll().unwrap(), ["one"]);
        log.write_all(b"o\n").unwrap();
        assert_eq!(follower.poll().unwrap(), ["two"]);
        log.set_len(0).unwrap();
        log.write_all(b"new\n").unwrap();
        assert_eq!(follower.poll().unwrap(), ["new"]);
        std::fs::remove_file(&path).unwrap();
        assert!(follower.poll().unwrap().is_empty());
    }
}
