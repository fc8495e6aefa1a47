//! Why a member did not become its program.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why a member did not become its program. No message holds any part of a secret.
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
    /// A password is neither in a file nor beside the settings.
    #[error("there is no password {0:?}; `nova deploy` lays it out")]
    NoPassword(String),
    /// Names did not resolve in time.
    #[error(
        "after {waited:?} there is still no address for {names}; members are met by address, so this one cannot start: \
         see whether their Services exist and the cluster's DNS answers"
    )]
    NoAddress {
        /// Each name and the reason.
        names: String,
        /// How long it was tried.
        waited: Duration,
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
    /// The program could not be executed.
    #[error("cannot run {program}: {source}", program = program.display())]
    Exec {
        /// Which one.
        program: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The server that was probed is not fit for use.
    #[error("{member} at {place} is not ready: {reason}")]
    NotReady {
        /// Which member.
        member: String,
        /// Where it was asked.
        place: String,
        /// What it said, or did not.
        reason: String,
    },
    /// The member was taken out of the cluster.
    #[error(
        "{0} was taken out of the cluster and does not join again; `nova deploy` brings it back where it is described"
    )]
    Leaves(String),
    /// The member is not among those that it is described with.
    #[error("{0} is not in members.json; `nova deploy` writes it anew")]
    NotDescribed(String),
}
