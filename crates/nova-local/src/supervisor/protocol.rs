//! What is said over the supervisor's socket: one JSON document a line, a request and then its response.
//!
//! [`Request::List`] and [`Request::Shutdown`] and their responses must stay readable for other versions, since they are
//! how a newer nova replaces an older supervisor.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use nova_member::leader_key::LeaderKey;
use nova_platform::components::ComponentId;
use nova_platform::endpoints::HostPort;
use nova_platform::target::RunState;
use serde::{Deserialize, Serialize};

use crate::plan::StopSignal;

/// Longest line that either side accepts.
pub(super) const LONGEST_LINE: u64 = 1 << 20;
/// Time that a stop may take beyond the member's grace.
pub(super) const BEYOND_GRACE: Duration = Duration::from_secs(15);

/// Longest that a member may take to hand over before it is told to end.
pub(super) const HANDED_OVER: Duration = Duration::from_secs(25);

/// What the supervisor is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub enum Request {
    /// Keep this member running, as described. Restarts it when it runs with other [`Launch::parts`].
    Ensure {
        /// How it is started.
        launch: Box<Launch>,
    },
    /// End a member and everything that belongs to it, and keep it ended. What it leads it hands over first.
    Stop {
        /// Which one.
        member: String,
        /// Upper bound of its own grace. Where there is one nothing is handed over: the others end as well, or it is to be lost.
        grace_ms: Option<u64>,
    },
    /// As [`Request::Stop`], and know it no longer.
    Forget {
        /// Which one.
        member: String,
        /// Upper bound of its own grace.
        grace_ms: Option<u64>,
    },
    /// Say what is kept running.
    List,
    /// End, and leave the members running.
    Shutdown,
}

/// What the supervisor answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "response", rename_all = "kebab-case")]
pub enum Response {
    /// It is done.
    Done,
    /// What is kept running.
    Members(Report),
    /// It cannot be done.
    Refused {
        /// Why.
        reason: String,
    },
}

/// The supervisor and its members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Its process id.
    pub pid: u32,
    /// The program that it runs, which is named after its content.
    pub program: PathBuf,
    /// Everything that it keeps.
    #[serde(default)]
    pub members: Vec<MemberReport>,
}

/// How a member is started and ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// The member's name.
    pub member: String,
    /// The component that it belongs to.
    pub component: ComponentId,
    /// The node that it is lost with.
    pub node: String,
    /// Absolute path of the program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its whole environment.
    pub env: BTreeMap<String, String>,
    /// Addresses that it listens on.
    pub ports: Vec<(String, u16)>,
    /// Base names of programs that it leaves running on its own.
    pub children: Vec<String>,
    /// The key that says that it leads, given up for it once nothing of it runs.
    #[serde(default)]
    pub leader_key: Option<LeaderKey>,
    /// Its directory when it is a PostgreSQL server: it hands over before it ends.
    #[serde(default)]
    pub postgres: Option<PathBuf>,
    /// Its directory when it is a Redis server: it hands over before it ends, and should it have been master, a successor is asked for once nothing of it runs.
    #[serde(default)]
    pub redis: Option<PathBuf>,
    /// Its directory when it is a Kafka broker: its session is ended for it once nothing of it runs.
    #[serde(default)]
    pub kafka: Option<PathBuf>,
    /// Its directory when it is a Sentinel: one that the others have left behind is started anew.
    #[serde(default)]
    pub sentinel: Option<PathBuf>,
    /// Its directory when it is an etcd member, which is seen to while it runs, and hands over before it ends.
    #[serde(default)]
    pub etcd: Option<PathBuf>,
    /// Signal that asks it to end.
    pub stop_signal: StopSignal,
    /// How long it may take to end, in milliseconds.
    pub stop_grace_ms: u64,
    /// First pause before it starts again, in milliseconds.
    pub restart_backoff_ms: u64,
    /// Longest pause before it starts again, in milliseconds.
    pub restart_backoff_max_ms: u64,
    /// Size at which its log is rotated.
    pub log_max_bytes: u64,
    /// What a restart is needed for when it differs: a hash each of the program, the arguments, the environment and every
    /// file.
    pub parts: BTreeMap<String, String>,
}

impl Launch {
    /// How long it may take to end.
    #[must_use]
    pub fn stop_grace(&self) -> Duration {
        Duration::from_millis(self.stop_grace_ms)
    }

    /// Addresses that it listens on.
    pub fn addresses(&self) -> impl Iterator<Item = HostPort> {
        self.ports.iter().map(|(host, port)| HostPort::new(host, *port))
    }
}

/// A member as the supervisor sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberReport {
    /// How it is started.
    pub launch: Launch,
    /// What it is doing.
    pub state: RunState,
    /// Its main process.
    pub pid: Option<u32>,
    /// Unix time in milliseconds at which that started.
    pub started_at_ms: Option<u64>,
    /// Starts after the first one.
    pub restarts: u32,
    /// How it last ended, in words.
    pub last_exit: Option<String>,
    /// Unix time in milliseconds of that.
    pub last_exit_at_ms: Option<u64>,
}

impl Request {
    /// Time that the supervisor may take to answer.
    #[must_use]
    pub fn limit(&self) -> Duration {
        match self {
            Self::Ensure { launch } => HANDED_OVER + launch.stop_grace() + BEYOND_GRACE,
            Self::Stop {
                grace_ms: Some(grace), ..
            }
            | Self::Forget {
                grace_ms: Some(grace), ..
            } => Duration::from_millis(*grace) + BEYOND_GRACE,
            Self::Stop { .. } | Self::Forget { .. } => HANDED_OVER + Duration::from_secs(60) + BEYOND_GRACE,
            Self::List | Self::Shutdown => Duration::from_secs(5),
        }
    }
}
