//! Which processes belong to a member: its main process, whatever carries its mark or writes its log, and the programs
//! that it is known to leave running on their own.
//!
//! No single sign is enough: programs overwrite their environment (PostgreSQL, Redis), change their directory, leave
//! their process group. A person's shell that stands in a member's directory shows none of them.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use procfs::ProcError;
use procfs::process::Process;

use rustix::io::Errno;

use super::Identity;
use crate::layout::Layout;

/// Names the member, for people who look at a process.
pub const MEMBER_NAME: &str = "NOVA_MEMBER";
/// Names the member's directory: the mark by which its processes are found again.
pub const MEMBER_DIRECTORY: &str = "NOVA_MEMBER_DIRECTORY";

/// What a member's processes are known by.
#[derive(Debug, Clone)]
pub struct Family {
    /// The member's working directory.
    pub directory: PathBuf,
    /// Its log, which its processes have as their standard output or error.
    pub log: PathBuf,
    /// Base names of programs that it leaves running on its own.
    pub children: Vec<String>,
    /// Its main process, running or not.
    pub main: Option<Identity>,
}

impl Family {
    /// What the processes of a member of this platform are known by.
    #[must_use]
    pub fn new(layout: &Layout, member: &str, children: &[String], main: Option<Identity>) -> Self {
        Self {
            directory: layout.member(member),
            log: layout.log(member),
            children: children.to_vec(),
            main,
        }
    }
}

/// A process, with what is cheap to know.
#[derive(Debug, Clone, Copy)]
struct Entry {
    identity: Identity,
    parent: i32,
    group: i32,
}

/// The processes of one user at one moment.
#[derive(Debug)]
pub struct Table {
    entries: Vec<Entry>,
}

impl Table {
    /// Reads the processes of this user; dead ones that wait for their parent are left out, and so are those that cannot be
    /// read.
    #[must_use]
    pub fn read(uid: u32) -> Self {
        let (table, _) = Self::look(uid);
        table
    }

    /// As [`Table::read`], for those who must know that nothing was left out.
    ///
    /// # Errors
    /// When a process that has not ended cannot be read, for instance because too many files are open.
    pub fn read_whole(uid: u32) -> io::Result<Self> {
        let (table, doubt) = Self::look(uid);
        doubt.map_or(Ok(table), Err)
    }

    fn look(uid: u32) -> (Self, Option<io::Error>) {
        let own = std::process::id().cast_signed();
        let mut doubt = Doubt::default();
        let mut entries = Vec::new();
        let processes = procfs::process::all_processes().map_err(into_io);
        for process in doubt.clear(processes.map(Some)).into_iter().flatten() {
            let found = process.map_err(into_io).and_then(|process| {
                if process.pid == own || process.uid().map_err(into_io)? != uid {
                    return Ok(None);
                }
                process.stat().map(Some).map_err(into_io)
            });
            let alive = doubt.clear(found).filter(|stat| !matches!(stat.state, 'Z' | 'X'));
            entries.extend(alive.map(|stat| Entry {
                identity: Identity {
                    pid: stat.pid,
                    start: stat.starttime,
                },
                parent: stat.ppid,
                group: stat.pgrp,
            }));
        }
        (Self { entries }, doubt.0)
    }

    /// The processes of a member, its main process included.
    #[must_use]
    pub fn of(&self, family: &Family) -> Vec<Identity> {
        let (found, _) = self.search(family);
        found
    }

    /// As [`Table::of`], for those who must know that nothing was left out.
    ///
    /// # Errors
    /// When it cannot be told of a process whether it belongs to the member.
    pub fn certainly_of(&self, family: &Family) -> io::Result<Vec<Identity>> {
        let (found, doubt) = self.search(family);
        doubt.map_or(Ok(found), Err)
    }

    fn search(&self, family: &Family) -> (Vec<Identity>, Option<io::Error>) {
        let mark = mark(&family.directory);
        let mut doubt = Doubt::default();
        let mut belongs = |entry: &&Entry| {
            let pid = entry.identity.pid;
            let mut sign = |found: io::Result<bool>| match found {
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied && !is_called_as_one(pid, family) => {
                    false
                }
                found => doubt.is(found),
            };
            Some(entry.identity) == family.main
                || sign(in_group(entry, family))
                || sign(has_variable(pid, |variable| variable == mark))
                || sign(writes(pid, |path| path == family.log))
                || sign(is_left(entry, family))
        };
        let found = self.entries.iter().filter(|entry| belongs(entry));
        let found = found.map(|entry| entry.identity).collect();
        (found, doubt.0)
    }

    /// Of these processes, those whose program is among `names`.
    #[must_use]
    pub fn named(processes: &[Identity], names: &[String]) -> Vec<Identity> {
        let is_named = |identity: &&Identity| program(identity.pid).is_some_and(|program| names.contains(&program));
        processes.iter().filter(is_named).copied().collect()
    }

    /// Of these processes, those whose parent is not among them.
    #[must_use]
    pub fn roots(&self, processes: &[Identity]) -> Vec<Identity> {
        let is_root = |identity: &&Identity| {
            let parent = self
                .entries
                .iter()
                .find(|entry| entry.identity == **identity)
                .map(|entry| entry.parent);
            !processes.iter().any(|other| Some(other.pid) == parent)
        };
        processes.iter().filter(is_root).copied().collect()
    }

    /// The processes that work in each directory directly below `parent` or deeper, by that directory's name.
    #[must_use]
    pub fn by_directory(&self, parent: &Path) -> BTreeMap<String, Vec<Identity>> {
        let mut found: BTreeMap<String, Vec<Identity>> = BTreeMap::new();
        for entry in &self.entries {
            let name = working_directory(entry.identity.pid).ok().and_then(|path| {
                let below = path.strip_prefix(parent).ok()?.components().next()?;
                Some(below.as_os_str().to_string_lossy().into_owned())
            });
            if let Some(name) = name {
                found.entry(name).or_default().push(entry.identity);
            }
        }
        found
    }

    /// The supervisor of this platform, known by where it writes, though its files were removed.
    #[must_use]
    pub fn supervisor(&self, layout: &Layout) -> Vec<Identity> {
        let log = layout.supervisor_log();
        let is_supervisor = |entry: &&Entry| writes(entry.identity.pid, |path| path == log).unwrap_or(false);
        let found = self.entries.iter().filter(is_supervisor);
        found.map(|entry| entry.identity).collect()
    }

    /// The processes of every member that this platform has or ever had, as far as they are marked or write a log.
    #[must_use]
    pub fn of_platform(&self, layout: &Layout) -> Vec<Identity> {
        let mark = [mark(&layout.members()), b"/".to_vec()].concat();
        let logs = layout.logs();
        let belongs = |entry: &&Entry| {
            let pid = entry.identity.pid;
            has_variable(pid, |variable| variable.starts_with(&mark)).unwrap_or(false)
                || writes(pid, |path| path.starts_with(&logs)).unwrap_or(false)
        };
        self.entries
            .iter()
            .filter(belongs)
            .map(|entry| entry.identity)
            .collect()
    }
}

/// What could not be found out, apart from what has ended meanwhile: the first of it.
#[derive(Debug, Default)]
struct Doubt(Option<io::Error>);

impl Doubt {
    fn clear<T>(&mut self, found: io::Result<Option<T>>) -> Option<T> {
        match found {
            Ok(found) => found,
            Err(error) if has_ended(&error) => None,
            Err(error) => {
                self.0.get_or_insert(error);
                None
            }
        }
    }

    fn is(&mut self, found: io::Result<bool>) -> bool {
        self.clear(found.map(Some)).unwrap_or(false)
    }
}

/// How the kernel answers a question about a process that is no more.
fn has_ended(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(Errno::SRCH.raw_os_error())
}

fn into_io(error: ProcError) -> io::Error {
    match error {
        ProcError::NotFound(_) => io::ErrorKind::NotFound.into(),
        ProcError::PermissionDenied(_) => io::ErrorKind::PermissionDenied.into(),
        ProcError::Io(error, _) => error,
        other => io::Error::other(other.to_string()),
    }
}

/// A process that the main one started in its own group. The group's number may be another's after the main process is
/// gone, therefore the working directory counts as well.
fn in_group(entry: &Entry, family: &Family) -> io::Result<bool> {
    let in_group = family
        .main
        .is_some_and(|main| entry.group == main.pid && entry.identity.start >= main.start);
    Ok(in_group && working_directory(entry.identity.pid)?.starts_with(&family.directory))
}

fn is_left(entry: &Entry, family: &Family) -> io::Result<bool> {
    let pid = entry.identity.pid;
    Ok(!family.children.is_empty()
        && family.children.contains(&program_name(pid)?)
        && working_directory(pid)?.starts_with(&family.directory))
}

/// Whether a process that this user may not look into has the name of a program that goes on without the main process. Members'
/// processes never have more rights than their supervisor, so that any other is none of them.
fn is_called_as_one(pid: i32, family: &Family) -> bool {
    // The kernel cuts names after 15 bytes.
    let cut = |name: &str| name.bytes().take(15).collect::<Vec<u8>>();
    let stat = Process::new(pid).and_then(|process| process.stat());
    stat.is_ok_and(|stat| family.children.iter().any(|child| cut(child) == stat.comm.as_bytes()))
}

fn mark(directory: &Path) -> Vec<u8> {
    [MEMBER_DIRECTORY.as_bytes(), b"=", directory.as_os_str().as_bytes()].concat()
}

fn has_variable(pid: i32, wanted: impl Fn(&[u8]) -> bool) -> io::Result<bool> {
    let environment = std::fs::read(format!("/proc/{pid}/environ"))?;
    Ok(environment.split(|byte| *byte == 0).any(wanted))
}

/// Whether standard output or error go to such a file. Where a log was removed, the kernel notes that behind its name.
fn writes(pid: i32, wanted: impl Fn(&Path) -> bool) -> io::Result<bool> {
    for fd in [1, 2] {
        let path = match std::fs::read_link(format!("/proc/{pid}/fd/{fd}")) {
            Ok(path) => path,
            // Closed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let path = path.as_os_str().as_bytes();
        let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
        if wanted(Path::new(OsStr::from_bytes(path))) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn working_directory(pid: i32) -> io::Result<PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/cwd"))
}

/// Base name of the program that a process runs.
pub(super) fn program(pid: i32) -> Option<String> {
    program_name(pid).ok()
}

/// The kernel notes when a program's file was replaced.
fn program_name(pid: i32) -> io::Result<String> {
    let path = Process::new(pid).and_then(|process| process.exe()).map_err(into_io)?;
    let name = path.file_name().map(OsStr::to_string_lossy).unwrap_or_default();
    Ok(name.strip_suffix(" (deleted)").unwrap_or(&name).to_owned())
}
