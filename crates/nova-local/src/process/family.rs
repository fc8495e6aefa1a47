//! Which processes belong to a member: its main process, whatever carries its mark or writes its log, and the programs
//! that it is known to leave running on their own.
//!
//! No single sign is enough: programs overwrite their environment (PostgreSQL, Redis), change their directory, leave
//! their process group. A person's shell that stands in a member's directory shows none of them.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use procfs::process::Process;

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
    /// Reads the processes of this user; dead ones that wait for their parent are left out.
    #[must_use]
    pub fn read(uid: u32) -> Self {
        let own = std::process::id().cast_signed();
        let processes = procfs::process::all_processes().into_iter().flatten().flatten();
        let entries = processes
            .filter(|process| process.pid != own && process.uid().is_ok_and(|owner| owner == uid))
            .filter_map(|process| process.stat().ok())
            .filter(|stat| !matches!(stat.state, 'Z' | 'X'))
            .map(|stat| Entry {
                identity: Identity {
                    pid: stat.pid,
                    start: stat.starttime,
                },
                parent: stat.ppid,
                group: stat.pgrp,
            })
            .collect();
        Self { entries }
    }

    /// The processes of a member, its main process included.
    #[must_use]
    pub fn of(&self, family: &Family) -> Vec<Identity> {
        let mark = mark(&family.directory);
        let belongs = |entry: &&Entry| {
            let pid = entry.identity.pid;
            Some(entry.identity) == family.main
                || in_group(entry, family)
                || has_variable(pid, |variable| variable == mark)
                || writes(pid, |path| path == family.log)
                || is_left(entry, family)
        };
        self.entries
            .iter()
            .filter(belongs)
            .map(|entry| entry.identity)
            .collect()
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
            let name = working_directory(entry.identity.pid).and_then(|path| {
                let below = path.strip_prefix(parent).ok()?.components().next()?;
                Some(below.as_os_str().to_string_lossy().into_owned())
            });
            if let Some(name) = name {
                found.entry(name).or_default().push(entry.identity);
            }
        }
        found
    }

    /// The processes of every member that this platform has or ever had, as far as they are marked or write a log.
    #[must_use]
    pub fn of_platform(&self, layout: &Layout) -> Vec<Identity> {
        let mark = [mark(&layout.members()), b"/".to_vec()].concat();
        let logs = layout.logs();
        let belongs = |entry: &&Entry| {
            let pid = entry.identity.pid;
            has_variable(pid, |variable| variable.starts_with(&mark)) || writes(pid, |path| path.starts_with(&logs))
        };
        self.entries
            .iter()
            .filter(belongs)
            .map(|entry| entry.identity)
            .collect()
    }
}

/// A process that the main one started in its own group. The group's number may be another's after the main process is
/// gone, therefore the working directory counts as well.
fn in_group(entry: &Entry, family: &Family) -> bool {
    family
        .main
        .is_some_and(|main| entry.group == main.pid && entry.identity.start >= main.start)
        && working_directory(entry.identity.pid).is_some_and(|path| path.starts_with(&family.directory))
}

fn is_left(entry: &Entry, family: &Family) -> bool {
    !family.children.is_empty()
        && program(entry.identity.pid).is_some_and(|program| family.children.contains(&program))
        && working_directory(entry.identity.pid).is_some_and(|path| path.starts_with(&family.directory))
}

fn mark(directory: &Path) -> Vec<u8> {
    [MEMBER_DIRECTORY.as_bytes(), b"=", directory.as_os_str().as_bytes()].concat()
}

fn has_variable(pid: i32, wanted: impl Fn(&[u8]) -> bool) -> bool {
    std::fs::read(format!("/proc/{pid}/environ"))
        .is_ok_and(|environment| environment.split(|byte| *byte == 0).any(wanted))
}

/// Whether standard output or error go to such a file. Where a log was removed, the kernel notes that behind its name.
fn writes(pid: i32, wanted: impl Fn(&Path) -> bool) -> bool {
    [1, 2].iter().any(|fd| {
        std::fs::read_link(format!("/proc/{pid}/fd/{fd}")).is_ok_and(|path| {
            let path = path.as_os_str().as_bytes();
            wanted(Path::new(OsStr::from_bytes(
                path.strip_suffix(b" (deleted)").unwrap_or(path),
            )))
        })
    })
}

fn working_directory(pid: i32) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/cwd")).ok()
}

/// Base name of the program that a process runs; the kernel notes when its file was replaced.
pub(super) fn program(pid: i32) -> Option<String> {
    let path = Process::new(pid).and_then(|process| process.exe()).ok()?;
    let name = path.file_name().map(OsStr::to_string_lossy)?;
    Some(name.strip_suffix(" (deleted)").unwrap_or(&name).to_owned())
}
