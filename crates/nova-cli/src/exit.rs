//! Exit codes: what a script that calls `nova` may rely on, whatever the output format.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, healthy, no difference.
    Done = 0,
    /// Failed, and why was printed.
    Failed = 1,
    /// Wrong usage or an invalid `nova.toml`.
    Usage = 2,
    /// Unhealthy (status, verify), or a difference (diff).
    Unhealthy = 3,
    /// Timed out; which checks were still failing was printed.
    TimedOut = 4,
    /// Prerequisites are missing.
    Prerequisites = 5,
    /// Interrupted; the command that resumes was printed.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
