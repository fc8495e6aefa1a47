//! What is thought of a directory of data, with the check of the real server.
#![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

use std::fs::File;
use std::time::SystemTime;

use super::*;
use crate::redis_start::names::SNAPSHOT;
use crate::redis_start::source::mark;

const SERVER: &str = "/usr/bin/redis-server";
const WRITE: &str = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n";

/// A directory of data with these writes.
fn directory(writes: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join(DIRECTORY)).unwrap();
    fs::write(writes_of(&directory), writes).unwrap();
    fs::write(
        directory.path().join(MANIFEST),
        "file appendonly.aof.1.incr.aof seq 1 type i\n",
    )
    .unwrap();
    directory
}

fn writes_of(directory: &tempfile::TempDir) -> std::path::PathBuf {
    directory.path().join(DIRECTORY).join("appendonly.aof.1.incr.aof")
}

fn damaged() -> tempfile::TempDir {
    directory(&format!("{WRITE}\0\0\0{WRITE}"))
}

fn look(directory: &tempfile::TempDir) -> Data {
    let source = Source::find(directory.path(), true).unwrap();
    Data::look(directory.path(), source, Path::new(SERVER)).unwrap()
}

#[test]
fn where_nothing_was_written_there_is_nothing() {
    let directory = tempfile::tempdir().unwrap();
    mark(directory.path(), true).unwrap();
    assert_eq!(look(&directory), Data::Nothing);
    fs::write(directory.path().join(SNAPSHOT), "").unwrap();
    assert_eq!(look(&directory), Data::Loadable);
}

#[test]
fn what_the_last_start_did_not_load_is_damaged_when_the_check_finds_so() {
    let directory = damaged();
    assert_eq!(look(&directory), Data::Loadable, "it was never tried");
    mark(directory.path(), true).unwrap();
    assert_eq!(look(&directory), Data::Damaged);
    let later = SystemTime::now() + Duration::from_secs(1);
    let writes = File::options().write(true).open(writes_of(&directory)).unwrap();
    writes.set_modified(later).unwrap();
    assert_eq!(
        look(&directory),
        Data::Loadable,
        "the last start wrote, so it had loaded"
    );

    Data::remove(directory.path()).unwrap();
    assert_eq!(look(&directory), Data::Nothing);
}

#[test]
fn what_the_check_finds_sound_stays() {
    let directory = directory(&format!("{WRITE}{WRITE}"));
    mark(directory.path(), true).unwrap();
    assert_eq!(look(&directory), Data::Loadable);
}
