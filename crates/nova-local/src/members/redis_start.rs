//! How a Redis server finds its role before it starts, so that a cold start never makes an empty or stale server master.
//!
//! The Sentinels remember who leads, so they decide: a server becomes master only when a majority of them answers and the
//! latest of them names it, and when it is empty, only if all others are known to be empty too. In every other case it is a
//! replica, or waits. Redis's own configuration from the last run counts for nothing. An empty server that waits answers
//! its peers, so that where nothing was ever written they need not guess.

use std::convert::Infallible;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nova_platform::endpoints::HostPort;

use super::redis::Start;
use super::redis_view::{View, answer_as_empty};

/// After this long the helper ends, and the supervisor starts it anew.
const PATIENCE: Duration = Duration::from_secs(30);
const ROUND: Duration = Duration::from_millis(50);
const ANSWER: Duration = Duration::from_millis(500);

/// Why a member did not become its server.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A file of the member could not be read or written.
    #[error("cannot use {path}: {source}", path = path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file that says what to start makes no sense.
    #[error("{path} is damaged; `nova deploy` writes it anew", path = path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// No role could be found in time.
    #[error("found no role in time: {0}")]
    NoRole(String),
    /// A preparing program failed.
    #[error("{program} failed: {reason}")]
    Preparation {
        /// Which one.
        program: String,
        /// What it said.
        reason: String,
    },
    /// The server's program could not be executed.
    #[error("cannot run {program}: {source}", program = program.display())]
    Exec {
        /// Which one.
        program: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// Becomes the Redis server whose member directory this is.
///
/// # Errors
/// When there is no role for it yet, or its program cannot run.
pub fn run(directory: &Path) -> Result<Infallible, StartError> {
    let start: Start = read_start(directory)?;
    let empty = is_empty(&directory.join("data"));
    let role = find_role(&start, empty)?;
    let base = directory.join("base.conf");
    let base = fs::read_to_string(&base).map_err(|source| StartError::File { path: base, source })?;
    let replica_of = match role {
        Role::Master => String::new(),
        Role::ReplicaOf(master) => format!("replicaof {} {}\n", master.host, master.port),
    };
    // Anew each time: Sentinel makes Redis rewrite it, with every setting in it as it was then.
    write(&directory.join("redis.conf"), &format!("{base}{replica_of}"))?;
    exec(
        Command::new(&start.server).arg("redis.conf").current_dir(directory),
        &start.server,
    )
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Role {
    Master,
    ReplicaOf(HostPort),
}

fn find_role(start: &Start, empty: bool) -> Result<Role, StartError> {
    let began = Instant::now();
    let mut said = String::new();
    if empty && let Err(error) = answer_as_empty(&start.own) {
        println!("nova: {} cannot answer its peers: {error}", start.own.member);
    }
    loop {
        let why_not = match decide(&start.own.place(), empty, &View::ask(start, ANSWER)) {
            Ok((role, why)) => {
                println!("nova: {} starts as {}: {why}", start.own.member, name_of(&role));
                return Ok(role);
            }
            Err(why_not) => why_not,
        };
        if why_not != said {
            println!("nova: {} waits: {why_not}", start.own.member);
            said.clone_from(&why_not);
        }
        if began.elapsed() > PATIENCE {
            return Err(StartError::NoRole(why_not));
        }
        thread::sleep(ROUND);
    }
}

fn name_of(role: &Role) -> String {
    match role {
        Role::Master => "master".to_owned(),
        Role::ReplicaOf(master) => format!("replica of {master}"),
    }
}

/// The role and why it is that one, or why there is none yet.
fn decide(own: &HostPort, empty: bool, view: &View) -> Result<(Role, &'static str), String> {
    let answers = view.sentinels.iter().flatten().count();
    let peers = || view.peers.iter().flatten();
    let Some(named) = view.named_master().filter(|_| answers > view.sentinels.len() / 2) else {
        let leading = peers()
            .find(|peer| peer.is_master)
            .map(|peer| Role::ReplicaOf(peer.place.clone()));
        return leading
            .map(|role| (role, "it leads, and too few Sentinels answer to know better"))
            .ok_or_else(|| {
                let all = view.sentinels.len();
                format!("{answers} of {all} Sentinels answer, and only a majority can name a master")
            });
    };
    if named.master != *own {
        let master_is_up = peers().any(|peer| peer.is_master && peer.place == named.master);
        return if !empty || master_is_up {
            Ok((Role::ReplicaOf(named.master.clone()), "the Sentinels name it"))
        } else {
            // A Sentinel that has to choose among replicas may otherwise choose this one.
            Err(format!(
                "{} does not lead yet, and an empty replica must not be chosen in its place",
                named.master
            ))
        };
    }
    if let Some(other) = peers().find(|peer| peer.is_master && peer.has_data) {
        return Err(format!(
            "the Sentinels name this server, but {} leads; they are about to agree",
            other.place
        ));
    }
    if !empty {
        return Ok((Role::Master, "the Sentinels name it, and it has its data"));
    }
    if peers().any(|peer| peer.has_data) {
        return Err("it has no data and others do; the Sentinels must name one of those".to_owned());
    }
    match view.peers.iter().filter(|peer| peer.is_none()).count() {
        0 => Ok((Role::Master, "the Sentinels name it, and nobody has any data")),
        silent => Err(format!(
            "it has no data, and {silent} of its peers, which may have some, do not answer"
        )),
    }
}

/// Whether Redis never wrote anything here: neither a snapshot nor the list of its append-only files.
fn is_empty(data: &Path) -> bool {
    !data.join("dump.rdb").exists() && !data.join("appendonlydir/appendonly.aof.manifest").exists()
}

pub(super) fn read_start<T: serde::de::DeserializeOwned>(directory: &Path) -> Result<T, StartError> {
    let path = directory.join("start.json");
    let text = fs::read(&path).map_err(|source| StartError::File {
        path: path.clone(),
        source,
    })?;
    serde_json::from_slice(&text).map_err(|source| StartError::Damaged { path, source })
}

/// Replaces a file that may hold a password, in one step.
pub(super) fn write(path: &Path, content: &str) -> Result<(), StartError> {
    let fresh = path.with_extension("new");
    let try_write = || -> io::Result<()> {
        let mut file: File = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)?;
        file.write_all(content.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, path)
    };
    try_write().map_err(|source| StartError::File {
        path: path.to_owned(),
        source,
    })
}

/// The process becomes the program: same process id, same start time, nothing in between.
pub(super) fn exec(command: &mut Command, program: &Path) -> Result<Infallible, StartError> {
    Err(StartError::Exec {
        program: program.to_owned(),
        source: command.exec(),
    })
}

#[cfg(test)]
mod tests;
