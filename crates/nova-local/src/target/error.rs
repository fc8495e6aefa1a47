//! Why the local target could not do what was asked.

use std::fmt;
use std::path::PathBuf;

use nova_platform::explained::explained;
use nova_platform::secrets::SecretsError;

use crate::layout::{FileError, OwnerError, RootError, StateError};
use crate::members::PlanError;
use crate::partition::PartitionError;
use crate::process::PortError;
use crate::supervisor::{ClientError, LockError, RegistryError, StartError};

/// Why the local target could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// There is no such platform here.
    #[error("nothing is deployed here under the name {0:?}; `nova deploy` brings it up")]
    NotDeployed(String),
    /// It was opened for looking only.
    #[error("this needs the programs of a deploy")]
    NoTools,
    /// No such component.
    #[error("there is no component {name:?}; there are {known}")]
    UnknownComponent {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// No such member.
    #[error("there is no member {name:?}; there are {known}")]
    UnknownMember {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// A port is taken.
    #[error("{member} cannot have its port: {reason}")]
    Port {
        /// Which member.
        member: String,
        /// Who has it.
        reason: Box<PortError>,
    },
    /// Some members could not be started or ended.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Members(Vec<MemberFailure>),
    /// Members cannot leave etcd's cluster.
    #[error("cannot take {members} out of etcd's cluster: {why}")]
    Leave {
        /// Which ones.
        members: String,
        /// Why not, and what was done by then.
        why: String,
    },
    /// etcd's cluster cannot be formed anew.
    #[error("etcd's cluster is not formed anew: {0}")]
    Recover(String),
    /// One of our own programs is not there.
    #[error("cannot copy {what}; build it with `./nova`, which builds what is missing")]
    Binary {
        /// Which one.
        what: String,
        /// Why.
        source: std::io::Error,
    },
    /// There is no place for state.
    #[error(transparent)]
    Root(#[from] RootError),
    /// There is nobody to run members as.
    #[error(transparent)]
    Owner(#[from] OwnerError),
    /// The state directory cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// A file cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Another command is at work.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Passwords cannot be had.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// The stores hold passwords that nobody has any more.
    #[error(
        "{} is missing, but the members' data in {} was made with the passwords that were in it; put the file back, or give \
         the data up with `nova cleanup --data`",
        .file.display(),
        .data.display()
    )]
    SecretsLost {
        /// The file of the secrets.
        file: PathBuf,
        /// The members' directories.
        data: PathBuf,
    },
    /// The state directory was removed while the platform ran.
    #[error(
        "the state of this platform in {} is gone, but {processes} of its processes still run; `nova cleanup` ends them and \
         moves what they wrote aside, and `nova deploy` begins anew",
        .directory.display()
    )]
    StateLost {
        /// The state directory.
        directory: PathBuf,
        /// How many run.
        processes: usize,
    },
    /// A member cannot be planned.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// There is no supervisor.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The supervisor does not do it.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A node cannot be cut off or connected again.
    #[error(transparent)]
    Partition(#[from] PartitionError),
    /// What runs is not known.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

/// A member that could not be started or ended.
#[derive(Debug)]
pub struct MemberFailure {
    /// Which one.
    pub member: String,
    /// Why.
    pub reason: Box<LocalError>,
}

impl fmt::Display for MemberFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.member, explained(&*self.reason))
    }
}
