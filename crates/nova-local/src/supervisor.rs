//! The process that outlives the command: it starts members, restarts those that end, and rotates their logs.
//!
//! Members do not depend on it. They write their logs themselves, stand in process groups of their own, and go on when
//! it ends, whether asked to or killed; the next one finds them by process id and start time and takes them over.

mod address;
mod backoff;
mod client;
mod keeper;
mod launch;
mod lock;
mod orphans;
mod protocol;
mod registry;
mod remake;
mod rotation;
mod server;
mod start;

use std::io;
use std::path::Path;
use std::rc::Rc;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::{Mode, umask};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;

pub use client::{Client, ClientError};
pub use lock::{Holding, LockError, LockFile};
pub use protocol::{Launch, MemberReport, Report, Request, Response};
pub use registry::{Record, Registry, RegistryError, Wanted};
pub(crate) use start::wait_until_gone;
pub use start::{Program, StartError, ensure_running};

use crate::layout::{Layout, remove_if_present};
use remake::Lost;

/// What its lock says of it.
const SUPERVISOR: &str = "nova supervise";
/// Most open files that members may have; some programs make a table as large as the limit.
const OPEN_FILES: u64 = 1 << 20;

/// Why there is no supervisor.
#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    /// There is one already, or the lock cannot be had.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// What it should keep running cannot be read.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// It cannot listen or watch.
    #[error("the supervisor cannot {what}")]
    Io {
        /// Verb and object.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
}

fn cannot(what: &'static str) -> impl FnOnce(io::Error) -> SupervisorError {
    move |source| SupervisorError::Io { what, source }
}

/// Supervises the members of the platform with this state directory, until asked to end. Must not be called from within
/// an asynchronous runtime, since it makes its own.
///
/// # Errors
/// When another supervisor is at work there, or the state cannot be read.
pub fn run(directory: &Path) -> Result<(), SupervisorError> {
    let layout = Layout::at(directory);
    // Fails only for a process that leads a group already; then there is no terminal to lose either.
    let _ = nix::unistd::setsid();
    umask(Mode::from_bits_truncate(0o077));
    let lock = LockFile::take(&layout.supervisor_lock(), SUPERVISOR)?;
    raise_open_files();
    orphans::adopt();
    let registry = Registry::load(layout.clone())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(cannot("make its runtime"))?;
    let outcome = LocalSet::new().block_on(&runtime, supervise(registry, lock));
    if outcome.as_ref().is_ok_and(|end| *end == End::Asked) {
        let _ = remove_if_present(&layout.supervisor_socket());
    }
    outcome.map(drop)
}

/// Why it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Asked,
    /// Another one is at work; the socket is that one's.
    Replaced,
}

async fn supervise(registry: Registry, mut lock: LockFile) -> Result<End, SupervisorError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot("watch for SIGTERM"))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot("watch for SIGINT"))?;
    // Only taken notice of: a closed terminal must not end it. Being handled instead of ignored, it is not inherited.
    let _hangup = signal(SignalKind::hangup()).map_err(cannot("watch for SIGHUP"))?;

    let layout = registry.layout().clone();
    let socket = layout.supervisor_socket();
    let mut door = remake::listen(&socket).map_err(cannot("listen on its socket"))?;

    let house = Rc::new(keeper::House::new(registry));
    house.take_over();
    let (own_log, members) = (layout.supervisor_log(), house.clone());
    tokio::task::spawn_local(rotation::rotate_large_logs(own_log, move || members.logs()));
    tokio::task::spawn_local(orphans::take_note_of_ends(house.clone()));
    tracing::info!(state = %layout.directory().display(), "supervising");
    let end = loop {
        let file = door.file();
        let lost = tokio::select! {
            () = server::serve(door.listener, house.clone()) => break End::Asked,
            _ = terminate.recv() => break End::Asked,
            _ = interrupt.recv() => break End::Asked,
            lost = remake::watch(&house, &mut lock, file) => lost,
        };
        match lost {
            Lost::Socket => {
                tracing::warn!("its socket was removed; listening again");
                door = remake::listen(&socket).map_err(cannot("listen on its socket again"))?;
            }
            Lost::Place => {
                tracing::warn!("its lock was removed, and another supervisor has it now");
                break End::Replaced;
            }
        }
    };
    drop(lock);
    tracing::info!("ends; the members go on");
    Ok(end)
}

/// Stores keep many files and connections open; the usual soft limit of 1024 is too low for them.
fn raise_open_files() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let wanted = hard.min(OPEN_FILES).max(soft);
        if let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, wanted, hard) {
            tracing::warn!(%error, "the limit of open files stays at {soft}");
        }
    }
}
