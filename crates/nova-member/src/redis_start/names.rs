//! The files that Redis keeps its data in.

use std::path::Path;
use std::time::SystemTime;
use std::{fs, io};

/// Append-only files, and their list, which Redis writes last.
pub(super) const DIRECTORY: &str = "appendonlydir";
pub(super) const MANIFEST: &str = "appendonlydir/appendonly.aof.manifest";
/// What was in memory at one moment.
pub(super) const SNAPSHOT: &str = "dump.rdb";

/// When anything in a directory was last written.
pub(super) fn last_write(directory: &Path) -> io::Result<Option<SystemTime>> {
    let mut times = fs::read_dir(directory)?.map(|file| file?.metadata()?.modified());
    times.try_fold(None, |last, time| Ok(last.max(Some(time?))))
}
