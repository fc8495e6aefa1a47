//! What a Redis server or a Sentinel must know to find its role.

use std::convert::Infallible;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::error::StartError;
use crate::files::read_json;
use crate::place::Place;
use crate::resolve;

/// The name under which the Sentinels know the master.
pub const MASTER_NAME: &str = "nova";

/// What a Redis server or a Sentinel must know to find its role: `start.json`. May hold passwords, so it has no `Debug`.
#[derive(Clone, Serialize, Deserialize)]
pub struct Start {
    /// `redis-server`.
    pub server: PathBuf,
    /// Where this member is met.
    pub own: Address,
    /// The address that it listens on; where it is met when this is empty.
    #[serde(default)]
    pub bind: String,
    /// All Redis servers, this one included; the first is master when nothing was ever written.
    pub servers: Vec<Address>,
    /// All Sentinels.
    pub sentinels: Vec<Address>,
    /// Sentinels that must agree that the master is down.
    pub quorum: u16,
    /// Of the Redis servers; empty where it is in a file of its own.
    #[serde(default)]
    pub password: String,
    /// Of the Sentinels; empty where it is in a file of its own.
    #[serde(default)]
    pub sentinel_password: String,
}

impl Start {
    /// What is known before any name is resolved, passwords included.
    pub(crate) fn read(place: &Place) -> Result<Self, StartError> {
        let mut start: Self = read_json(&place.config("start.json"))?;
        for (name, password) in [
            ("redis", &mut start.password),
            ("redis-sentinel", &mut start.sentinel_password),
        ] {
            if let Some(file) = place.password(name)? {
                *password = file;
            } else if password.is_empty() {
                return Err(StartError::NoPassword(name.to_owned()));
            }
        }
        if start.bind.is_empty() {
            start.bind.clone_from(&start.own.host);
        }
        Ok(start)
    }

    /// Everything, with an address for every name. Redis and Sentinel are told addresses only: one that they resolved
    /// themselves would differ from the one that a peer announces.
    pub(crate) fn resolved(place: &Place) -> Result<Self, StartError> {
        let mut start = Self::read(place)?;
        let all = start.servers.iter().chain(&start.sentinels).chain([&start.own]);
        let addresses = resolve::all(all.map(|address| address.host.clone()), resolve::PATIENCE)?;
        let own = [&mut start.own];
        for address in start.servers.iter_mut().chain(&mut start.sentinels).chain(own) {
            if let Some(found) = addresses.get(&address.host) {
                address.host = found.to_string();
            }
        }
        Ok(start)
    }
}

/// The process becomes the program: same process id, same start time, nothing in between.
pub(crate) fn exec(command: &mut Command, program: &Path) -> Result<Infallible, StartError> {
    Err(StartError::Exec {
        program: program.to_owned(),
        source: command.exec(),
    })
}
