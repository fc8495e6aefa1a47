//! What it takes to run one member on this machine: made by pure functions from the description, carried out by the supervisor.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use nova_member::leader_key::LeaderKey;
use nova_platform::components::ComponentId;
use nova_platform::endpoints::HostPort;

/// A member, ready to be laid out and started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberPlan {
    /// Such as `redis-1`.
    pub name: String,
    /// The component that it belongs to.
    pub component: ComponentId,
    /// The node that it is lost with.
    pub node: String,
    /// Absolute path of the program.
    pub program: PathBuf,
    /// Its arguments. Never a secret.
    pub args: Vec<String>,
    /// Its whole environment; nothing is inherited. Never a secret, only paths of files that hold one.
    pub env: BTreeMap<String, String>,
    /// Files that must be there before it starts.
    pub files: Vec<PlannedFile>,
    /// Directories, relative to the member's own, made with mode 0700.
    pub directories: Vec<PathBuf>,
    /// Addresses that it listens on; each must be free before its first start.
    pub ports: Vec<HostPort>,
    /// Base names of programs that it leaves running on its own (`postgres` for Patroni), so that they are found again.
    pub children: Vec<String>,
    /// The key that says that it leads, given up for it once nothing of it runs; none where it holds no such key.
    pub leader_key: Option<LeaderKey>,
    /// Its directory when it is a PostgreSQL server, which hands over before it ends.
    pub postgres: Option<PathBuf>,
    /// Its directory when it is a Redis server, which hands over before it ends, and is replaced when it dies as master.
    pub redis: Option<PathBuf>,
    /// Its directory when it is a Kafka broker, whose session is ended for it when it dies.
    pub kafka: Option<PathBuf>,
    /// Its directory when it is a Sentinel, which is started anew when the others have left it behind.
    pub sentinel: Option<PathBuf>,
    /// Its directory when it is an etcd member, which is seen to while it runs, and hands over before it ends.
    pub etcd: Option<PathBuf>,
    /// Signal that asks it to end in good order.
    pub stop_signal: StopSignal,
    /// How long it may take to end before it is killed.
    pub stop_grace: Duration,
}

/// A file in a member's directory.
#[derive(Clone, PartialEq, Eq)]
pub struct PlannedFile {
    /// Relative to the member's directory.
    pub path: PathBuf,
    /// What stands in it.
    pub content: String,
    /// Written only when it is absent, because the program rewrites it afterwards (Redis, Sentinel). A change of the
    /// content then does not count as a change of the member.
    pub once: bool,
    /// Looked at by whoever starts it, and never while it runs: written each time, and a change does not count as one of the member.
    pub at_start: bool,
}

/// Without the content, which may hold passwords.
impl fmt::Debug for PlannedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlannedFile")
            .field("path", &self.path)
            .field("bytes", &self.content.len())
            .field("once", &self.once)
            .field("at_start", &self.at_start)
            .finish()
    }
}

/// Signal that asks a member to end in good order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StopSignal {
    /// SIGTERM.
    Term,
    /// SIGINT.
    Int,
    /// SIGUSR1, HAProxy's soft stop.
    Usr1,
}
