//! Takes note of the end of what members left behind: whoever loses its parent becomes the supervisor's child.
//!
//! Otherwise the first process of the machine has to, and in a bare container that does it late or never. Until then a dead
//! PostgreSQL looks alive to its Patroni, which goes on waiting for it before it gives its leader key up.

use std::rc::Rc;

use nix::sys::prctl::set_child_subreaper;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use procfs::process::all_processes;
use tokio::signal::unix::{SignalKind, signal};

use super::keeper::House;

/// Becomes the parent of every process that loses its own among those that the supervisor starts from now on.
pub(super) fn adopt() {
    if let Err(error) = set_child_subreaper(true) {
        tracing::warn!(%error, "processes that lose their parent go to the machine's first process");
    }
}

/// Takes note of every end, for ever; those of members' main processes are left to their keepers.
pub(super) async fn take_note_of_ends(house: Rc<House>) {
    let mut ended = match signal(SignalKind::child()) {
        Ok(ended) => ended,
        Err(error) => {
            tracing::warn!(%error, "the ends of orphans go unnoticed");
            return;
        }
    };
    while ended.recv().await.is_some() {
        let own = std::process::id().cast_signed();
        for process in all_processes().into_iter().flatten().flatten() {
            let is_orphan = process
                .stat()
                .is_ok_and(|stat| stat.state == 'Z' && stat.ppid == own && !house.is_main_process(stat.pid));
            if is_orphan {
                let _ = waitpid(Pid::from_raw(process.pid), Some(WaitPidFlag::WNOHANG));
            }
        }
    }
}
