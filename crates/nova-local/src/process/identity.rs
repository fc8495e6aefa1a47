//! A process is known by its id *and* its start time, since the id alone is given to another process later.

use std::io;
use std::os::fd::OwnedFd;

use procfs::process::Process;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// One process for certain, within one boot of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Identity {
    /// Process id.
    pub pid: i32,
    /// Clock ticks between the boot and its start (`/proc/PID/stat`, field 22).
    pub start: u64,
}

impl Identity {
    /// The process that has this id now, unless it is dead and only waits for its parent to notice.
    #[must_use]
    pub fn of(pid: i32) -> Option<Self> {
        let stat = Process::new(pid).and_then(|process| process.stat()).ok()?;
        (!matches!(stat.state, 'Z' | 'X')).then_some(Self {
            pid,
            start: stat.starttime,
        })
    }

    /// A child of ours that nobody has waited for yet: it has an identity even when it has ended.
    #[must_use]
    pub fn of_child(pid: i32) -> Option<Self> {
        let stat = Process::new(pid).and_then(|process| process.stat()).ok()?;
        Some(Self {
            pid,
            start: stat.starttime,
        })
    }

    /// Whether this very process still runs.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        Self::of(self.pid) == Some(*self)
    }

    /// Whether it is stopped by a signal, and goes on only with SIGCONT.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        let stat = Process::new(self.pid).and_then(|process| process.stat());
        stat.is_ok_and(|stat| stat.starttime == self.start && stat.state == 'T')
    }

    /// A handle that stays with this very process, or `None` when it has ended.
    ///
    /// # Errors
    /// When the kernel gives no handle, for instance because too many files are open.
    pub fn handle(&self) -> io::Result<Option<Handle>> {
        let Some(pid) = Pid::from_raw(self.pid) else {
            return Ok(None);
        };
        let fd = match pidfd_open(pid, PidfdFlags::NONBLOCK) {
            Ok(fd) => fd,
            Err(Errno::SRCH | Errno::INVAL) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // Looked at only now: from here on the id cannot have passed to another process unnoticed.
        Ok(self.is_alive().then_some(Handle { fd, identity: *self }))
    }
}

/// A handle on one process: it never means another one.
#[derive(Debug)]
pub struct Handle {
    fd: OwnedFd,
    identity: Identity,
}

impl Handle {
    /// A handle on a child of ours that nobody has waited for yet, so that its id cannot be another's.
    ///
    /// # Errors
    /// When the kernel gives no handle.
    pub fn of_child(pid: i32) -> io::Result<Self> {
        let identity = Identity::of_child(pid).ok_or(io::ErrorKind::NotFound)?;
        let raw = Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidInput)?;
        let fd = pidfd_open(raw, PidfdFlags::NONBLOCK)?;
        Ok(Self { fd, identity })
    }

    /// Whose handle it is.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// Sends a signal; a process that has ended is no error.
    ///
    /// # Errors
    /// When the process belongs to another user.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        match pidfd_send_signal(&self.fd, signal) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns once the process has ended.
    ///
    /// # Errors
    /// When there is no runtime that could watch it.
    #[expect(
        deprecated,
        reason = "the replacement is unsafe for the sake of descriptors that change hands; an OwnedFd does not"
    )]
    pub async fn ended(&self) -> io::Result<()> {
        let watched = AsyncFd::with_interest(self.fd.try_clone()?, Interest::READABLE)?;
        let _ready = watched.readable().await?;
        Ok(())
    }
}

/// What tells one boot of the machine from the next: start times of an earlier one mean nothing.
#[must_use]
pub fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map_or_else(|_| String::new(), |id| id.trim().to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

    use super::Identity;

    #[test]
    fn an_id_with_another_start_time_is_another_process() {
        let me = Identity::of(std::process::id().cast_signed()).unwrap();
        assert!(me.is_alive());
        let earlier = Identity {
            start: me.start - 1,
            ..me
        };
        assert!(!earlier.is_alive());
        assert!(earlier.handle().unwrap().is_none());
    }

    #[test]
    fn a_dead_process_that_nobody_has_waited_for_is_dead() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id().cast_signed();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while Identity::of(pid).is_some() {
            assert!(std::time::Instant::now() < deadline);
            std::thread::yield_now();
        }
        child.wait().unwrap();
    }
}
