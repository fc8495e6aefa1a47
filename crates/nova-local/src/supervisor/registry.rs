//! What the supervisor keeps running, written down before it acts, so that the next one can take over.

use std::collections::BTreeMap;
use std::path::PathBuf;

use nova_platform::target::RunState;
use serde::{Deserialize, Serialize};

use super::protocol::{Launch, MemberReport};
use crate::layout::{FileError, Layout, Owner, write_atomic};
use crate::process::{Family, Identity, boot_id};

/// Version of `members.json`.
const FORMAT: u64 = 1;

/// How a member ended that no supervisor was watching.
const UNWATCHED: &str = "unknown: it ended while no supervisor was watching";

/// What a member should be doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wanted {
    /// Running, again after each end.
    Running,
    /// Not running.
    Stopped,
}

/// One member and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// How it is started.
    pub launch: Launch,
    /// What it should be doing.
    pub wanted: Wanted,
    /// Its main process, when it was last known to run.
    pub process: Option<Identity>,
    /// Unix time in milliseconds at which that started.
    pub started_at_ms: Option<u64>,
    /// Starts after the first one.
    pub restarts: u32,
    /// How it last ended, in words.
    pub last_exit: Option<String>,
    /// Unix time in milliseconds of that.
    pub last_exit_at_ms: Option<u64>,
    /// Whether it ends so soon and so regularly that waiting will not help.
    pub failing: bool,
}

/// `members.json`.
#[derive(Debug, Serialize, Deserialize)]
struct MembersFile<M> {
    format: u64,
    /// Process ids mean nothing after another boot.
    boot: String,
    members: M,
}

/// The part of `members.json` that every format has.
#[derive(Debug, Deserialize)]
struct AnyFormat {
    format: u64,
}

/// Why it is not known what should run.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// Another version of nova made it.
    #[error("{} has format {found}, and this nova knows format {FORMAT} only; use the nova that made it", .path.display())]
    UnknownFormat {
        /// Which file.
        path: PathBuf,
        /// Its format.
        found: u64,
    },
    /// It cannot be understood.
    #[error("{} is damaged; remove it and deploy again: members that still run are found and replaced", .path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// It cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// All members of a platform.
#[derive(Debug)]
pub struct Registry {
    layout: Layout,
    owner: Owner,
    members: BTreeMap<String, Record>,
}

impl Record {
    /// A member that was never started.
    #[must_use]
    pub fn new(launch: Launch) -> Self {
        Self {
            launch,
            wanted: Wanted::Running,
            process: None,
            started_at_ms: None,
            restarts: 0,
            last_exit: None,
            last_exit_at_ms: None,
            failing: false,
        }
    }

    /// What its processes are known by.
    #[must_use]
    pub fn family(&self, layout: &Layout) -> Family {
        Family::new(layout, &self.launch.member, &self.launch.children, self.process)
    }

    /// What it is doing, provided that [`Record::process`] is up to date.
    #[must_use]
    pub fn state(&self) -> RunState {
        match (self.wanted, self.process) {
            (_, Some(_)) => RunState::Running,
            (Wanted::Stopped, None) => RunState::Stopped,
            (Wanted::Running, None) if self.failing => RunState::Failed,
            (Wanted::Running, None) => RunState::Backoff,
        }
    }

    /// The member as it is shown.
    #[must_use]
    pub fn report(&self) -> MemberReport {
        MemberReport {
            launch: self.launch.clone(),
            state: self.state(),
            pid: self.process.map(|process| process.pid.cast_unsigned()),
            started_at_ms: self.process.and(self.started_at_ms),
            restarts: self.restarts,
            last_exit: self.last_exit.clone(),
            last_exit_at_ms: self.last_exit_at_ms,
        }
    }
}

impl Registry {
    /// Reads what the last supervisor wrote down; empty when there is nothing.
    ///
    /// # Errors
    /// When it cannot be read or understood.
    pub fn load(layout: Layout) -> Result<Self, RegistryError> {
        let path = layout.members_file();
        // The file is written by the supervisor itself, so it is always its own.
        let owner = Owner {
            uid: nix::unistd::geteuid().as_raw(),
            gid: nix::unistd::getegid().as_raw(),
            name: String::new(),
        };
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self {
                    layout,
                    owner,
                    members: BTreeMap::new(),
                });
            }
            Err(error) => return Err(FileError::new("read", &path, error).into()),
        };
        let damaged = |source| RegistryError::Damaged {
            path: path.clone(),
            source,
        };
        let AnyFormat { format } = serde_json::from_slice(&text).map_err(damaged)?;
        if format != FORMAT {
            return Err(RegistryError::UnknownFormat { path, found: format });
        }
        let file: MembersFile<BTreeMap<String, Record>> = serde_json::from_slice(&text).map_err(damaged)?;
        let mut members = file.members;
        let same_boot = file.boot == boot_id();
        for record in members.values_mut() {
            if record.process.is_some_and(|process| !same_boot || !process.is_alive()) {
                record.process = None;
                record.last_exit = Some(UNWATCHED.to_owned());
            }
        }
        Ok(Self { layout, owner, members })
    }

    /// The platform's paths.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Every member.
    #[must_use]
    pub fn members(&self) -> &BTreeMap<String, Record> {
        &self.members
    }

    /// One member.
    #[must_use]
    pub fn get(&self, member: &str) -> Option<&Record> {
        self.members.get(member)
    }

    /// Changes a member, and writes that down.
    ///
    /// # Errors
    /// When it cannot be written; the change counts all the same.
    pub fn update(&mut self, member: &str, change: impl FnOnce(&mut Record)) -> Result<(), FileError> {
        if let Some(record) = self.members.get_mut(member) {
            change(record);
        }
        self.write()
    }

    /// Adds a member, and writes that down.
    ///
    /// # Errors
    /// When it cannot be written; then it is not added.
    pub fn add(&mut self, record: Record) -> Result<(), FileError> {
        let member = record.launch.member.clone();
        self.members.insert(member.clone(), record);
        self.write().inspect_err(|_| {
            self.members.remove(&member);
        })
    }

    /// Forgets a member, and writes that down.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn remove(&mut self, member: &str) -> Result<(), FileError> {
        self.members.remove(member);
        self.write()
    }

    /// Writes everything down.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self) -> Result<(), FileError> {
        let path = self.layout.members_file();
        let file = MembersFile {
            format: FORMAT,
            boot: boot_id(),
            members: &self.members,
        };
        let text = serde_json::to_vec(&file).map_err(|error| FileError::new("write", &path, error.into()))?;
        write_atomic(&path, &text, 0o600, &self.owner)?;
        Ok(())
    }
}
