//! Why something could not be installed.

use std::io;
use std::path::PathBuf;

use super::command::CommandError;

/// Why something could not be installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// Packages and users are root's business.
    #[error("{what} can only be installed by root; run `{command}`")]
    NeedsRoot {
        /// What is missing.
        what: String,
        /// What root would run.
        command: String,
    },
    /// Not Debian or a relative of it.
    #[error(
        "there is no apt-get here; install {packages} (or what your distribution calls them) yourself, then run `nova doctor`"
    )]
    NoApt {
        /// Debian's names.
        packages: String,
    },
    /// apt failed.
    #[error("apt could not install the packages; put right what it says, then run `nova doctor --install` again")]
    Apt {
        /// What it said.
        source: CommandError,
    },
    /// Some other program failed.
    #[error("an installation step failed; `nova doctor --install` goes on from there")]
    Command(#[from] CommandError),
    /// A file could not be read or written.
    #[error("cannot use {}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A jar is not the one that was meant.
    #[error("{} has SHA-256 {actual} instead of {wanted}; it was damaged or replaced on its way, and nothing was installed", file.display())]
    Checksum {
        /// The jar.
        file: PathBuf,
        /// What it should be.
        wanted: String,
        /// What it is.
        actual: String,
    },
    /// Kafka's jars come through Maven.
    #[error("Maven (`mvn`) is missing; run `apt-get install maven` as root")]
    NoMaven,
    /// There is no place to install to.
    #[error("no place to install to: neither XDG_DATA_HOME nor HOME names an absolute directory; set one of them")]
    NoHome,
    /// Installed, but the members could not read it.
    #[error("{} was installed, but other users cannot read it; check the modes of the directories above it", path.display())]
    Unreadable {
        /// The installation.
        path: PathBuf,
    },
}
