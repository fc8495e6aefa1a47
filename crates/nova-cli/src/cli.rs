//! The command line: what can be typed, and nothing of what it does.

mod events;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use events::{Dlq, Events};

/// Runs the Nova platform and proves that it works.
#[derive(Debug, Parser)]
#[command(name = "nova", version = crate::version::text(), propagate_version = true, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags that every command takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// The platform description; ./nova.toml when there is one, else the shipped defaults (-f in all commands but logs)
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Where the platform runs; where it was deployed last from here when not given, else local
    #[arg(long, global = true, value_enum)]
    pub(crate) target: Option<TargetKind>,
    /// Text for people, JSON for programs; data goes to stdout, progress and warnings to stderr
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Text)]
    pub(crate) output: Format,
    /// No colours (NO_COLOR does the same)
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
    /// More detail: memory of each member, every check, what the tool itself does
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

/// Where a platform runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TargetKind {
    /// Plain processes on this machine
    Local,
    /// Pods in a cluster, by the kubeconfig
    Kubernetes,
}

impl TargetKind {
    /// As it is typed and shown.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Kubernetes => "kubernetes",
        }
    }
}

/// What members ask of a cluster's nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProfileArg {
    /// `small` where the cluster offers less than 8 cores, else `production`
    Auto,
    /// What load needs
    Production,
    /// Lower requests, and nothing else
    Small,
}

/// Whose completions there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CompletedShell {
    /// `source <(nova completion bash)`
    Bash,
    /// Into a file `_nova` of a directory in `fpath`
    Zsh,
    /// `nova completion fish | source`
    Fish,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// For programs; every object names its schema and version
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Bring the platform up, or to what nova.toml now says, and prove that it works
    Deploy(Deploy),
    /// Show every component and member; exit 3 unless healthy
    Status(Status),
    /// Run every check, the isolation matrix included; exit 3 when one fails
    Verify(Described),
    /// Name what this machine lacks, and with --install install it
    Doctor(Doctor),
    /// Show members' logs
    Logs(Logs),
    /// Remove what deploy made; data stays unless --data is given
    Cleanup(Cleanup),
    /// Show what deploy would do; exit 3 if anything would change
    Diff(Diff),
    /// Write the Kubernetes resources as files for `kubectl apply -k`
    Render(Render),
    /// Break something while clients write, measure what it costs, and prove that nothing acknowledged was lost
    Drill(Box<Drill>),
    /// Look at events: topics, consumers, and what could not be applied
    Events {
        /// What to do
        #[command(subcommand)]
        action: Events,
    },
    /// Show or rotate generated secrets
    Secrets {
        /// What to do
        #[command(subcommand)]
        action: Secrets,
    },
    /// Build, load or list the container images that a cluster's members run
    Images {
        /// What to do
        #[command(subcommand)]
        action: Images,
    },
    /// Print the JSON Schema of nova.toml, or of what a command prints with -o json
    Schema {
        /// Of what
        #[arg(long, value_enum, default_value_t = SchemaOf::Description)]
        of: SchemaOf,
        /// Instead, every setting as a page of Markdown, with what a change of it means
        #[arg(long, conflicts_with = "of")]
        table: bool,
    },
    /// Print what a shell reads to complete commands and flags
    Completion {
        /// Which one
        #[arg(value_enum)]
        shell: CompletedShell,
    },
    /// Print the manual page, for `man -l -`
    Man {
        /// Of this command
        #[arg(value_name = "COMMAND")]
        of: Option<String>,
    },
    /// Keep members running (started by deploy)
    #[command(hide = true)]
    Supervise {
        /// The platform's state directory
        #[arg(long, value_name = "DIR")]
        state: PathBuf,
    },
    /// Run checks inside a cluster (started by its Deployment)
    #[command(hide = true)]
    Agent {
        /// Where to listen
        #[arg(long, value_name = "ADDRESS", default_value_t = SocketAddr::from(([127, 0, 0, 1], 7070)))]
        listen: SocketAddr,
        /// Directory with a file a secret
        #[arg(long, value_name = "DIR", default_value = "/secrets")]
        secrets: PathBuf,
        /// Ask the agent that listens there whether it works, and end
        #[arg(long)]
        probe: bool,
    },
    /// Write and keep the ledger on standard output (started by a drill inside a cluster)
    #[command(hide = true)]
    Clients {
        /// Directory with a file a secret
        #[arg(long, value_name = "DIR", default_value = "/secrets")]
        secrets: PathBuf,
    },
    /// Answer one question about events (started by `nova events` inside a cluster)
    #[command(hide = true)]
    EventsDesk {
        /// Directory with a file a secret
        #[arg(long, value_name = "DIR", default_value = "/secrets")]
        secrets: PathBuf,
    },
    /// Replace what a member has by what the others have
    Member {
        /// What to do
        #[command(subcommand)]
        member: MemberCommand,
    },
}

/// The short way to name the description; `logs` has -f for --follow instead.
#[derive(Debug, Clone, Args)]
pub(crate) struct Described {
    /// Short for --file
    #[arg(short = 'f', value_name = "FILE", conflicts_with = "file")]
    pub(crate) short_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Deploy {
    #[command(flatten)]
    pub(crate) described: Described,
    /// Install what is missing and ask nothing
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// On Kubernetes, what members ask of the nodes, instead of [kubernetes] profile
    #[arg(long, value_enum)]
    pub(crate) profile: Option<ProfileArg>,
    /// Give up after this time
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = humantime::parse_duration)]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Diff {
    #[command(flatten)]
    pub(crate) described: Described,
    /// On Kubernetes, what members ask of the nodes, instead of [kubernetes] profile
    #[arg(long, value_enum)]
    pub(crate) profile: Option<ProfileArg>,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) described: Described,
    /// Show again every two seconds until interrupted
    #[arg(short, long, conflicts_with = "wait")]
    pub(crate) watch: bool,
    /// Wait until healthy
    #[arg(long)]
    pub(crate) wait: bool,
    /// Give up waiting after this time
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = humantime::parse_duration, requires = "wait")]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) described: Described,
    /// Install what is missing (apt needs root)
    #[arg(long)]
    pub(crate) install: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// A component or a member; all when absent
    #[arg(value_name = "COMPONENT|MEMBER")]
    pub(crate) of: Option<String>,
    /// Go on showing new lines
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Only lines written in this last time, such as 5m
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) since: Option<Duration>,
    /// Last lines of each member
    #[arg(short = 'n', long, value_name = "LINES", default_value_t = 100)]
    pub(crate) tail: usize,
    /// The start before the current one
    #[arg(long, conflicts_with = "follow")]
    pub(crate) previous: bool,
    /// Only lines that this regular expression matches
    #[arg(long, value_name = "RE")]
    pub(crate) grep: Option<regex::Regex>,
}

#[derive(Debug, Args)]
pub(crate) struct Cleanup {
    #[command(flatten)]
    pub(crate) described: Described,
    /// Remove the data and the secrets too
    #[arg(long)]
    pub(crate) data: bool,
    /// Ask nothing
    #[arg(short, long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Render {
    #[command(flatten)]
    pub(crate) described: Described,
    /// What members ask of the nodes; as nova.toml says when not given, and both where that is "auto"
    #[arg(long, value_enum, value_name = "PROFILE")]
    pub(crate) profile: Option<ProfileArg>,
    /// Name the images as they would be built here now, instead of those of the release
    #[arg(long)]
    pub(crate) built: bool,
    /// Where the files go; deploy/rendered/PROFILE when not given
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Drill {
    #[command(flatten)]
    pub(crate) described: Described,
    #[command(subcommand)]
    pub(crate) action: Option<DrillAction>,
    /// A component, `node`, or `all`
    #[arg(value_name = "COMPONENT|node|all", required = true)]
    pub(crate) what: Option<String>,
    /// kill, crash (the server without what manages it), stop (freeze and continue), node, drain (each node in turn asked to be
    /// left), partition (both ways), partition-in and partition-out (one way), switchover, rolling, cold, disk-full; `kill` of a
    /// component and `node` of a node when not given
    #[arg(long, value_name = "FAULT")]
    pub(crate) fault: Option<String>,
    /// Whom it hits, instead of the leader; for a node its name, such as node-2
    #[arg(long, value_name = "MEMBER")]
    pub(crate) member: Option<String>,
    /// Break a cluster that is not local without asking
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Runs of each fault
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) runs: u32,
    /// Repeats the choice of members and times; a new one when not given, and always told
    #[arg(long, value_name = "S")]
    pub(crate) seed: Option<u64>,
    /// Operations a second a store; 500, of posts 50 and of requests to a service 200, when not given
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) rate: Option<u32>,
    /// Clients a store
    #[arg(long, value_name = "W", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) writers: u16,
    /// How long a member is frozen, a node gone, drained or cut off, or a disk full
    #[arg(long = "for", value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    pub(crate) lasts: Duration,
    /// Where every operation is written down; a new file below the system's folder for temporary ones when not given
    #[arg(long, value_name = "FILE")]
    pub(crate) ledger: Option<PathBuf>,
    /// Write the report as a page with charts as well, in one file that needs no other
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DrillAction {
    /// Judge a ledger, also one of a drill that was killed
    Report {
        /// The ledger
        #[arg(value_name = "FILE")]
        ledger: PathBuf,
        /// Write the report as a page with charts as well, in one file that needs no other
        #[arg(long, value_name = "FILE")]
        html: Option<PathBuf>,
    },
    /// Write and keep the ledger while you break things yourself, then judge
    Watch(Watch),
    /// Prove that the judge sees loss: planted in ledgers, and on a throw-away platform that is allowed to lose
    SelfTest(SelfTest),
}

/// Plants a lost, a duplicated, a risen and a reordered write in ledgers, each of which the judge must find, and nothing else.
/// Then deploys a throw-away platform on this machine (etcd, PostgreSQL and the gateway alone, under a name, a network and
/// addresses of its own) whose commits wait for no standby, takes its leader away while the standby is behind until acknowledged
/// writes are found missing, and removes it with its data, also when it is interrupted. Exit 1 when nothing was found.
#[derive(Debug, Args)]
pub(crate) struct SelfTest {
    /// Where writes are planted, and when the leader is killed
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Only what is planted in ledgers: needs no platform and takes no time
    #[arg(long)]
    pub(crate) planted_only: bool,
    /// Losses of the leader that may lose nothing before it counts as failed
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) kills: u32,
}

/// How clients write while something else breaks things.
#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// postgres, redis, kafka, posts; all of these when nothing is named. Besides, one service that is only asked
    #[arg(value_name = "STORE|SERVICE")]
    pub(crate) of: Vec<String>,
    /// Operations a second a store; 500, of posts 50 and of requests to a service 200, when not given
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) rate: Option<u32>,
    /// Clients a store
    #[arg(long, value_name = "W", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) writers: u16,
    /// On Kubernetes, the node that clients stay away from because it is to be lost
    #[arg(long, value_name = "NODE")]
    pub(crate) avoid_node: Option<String>,
    /// How long they write; Ctrl-C ends it sooner
    #[arg(long = "for", value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration)]
    pub(crate) lasts: Duration,
    /// Where every operation is written down; a new file below the system's folder for temporary ones when not given
    #[arg(long, value_name = "FILE")]
    pub(crate) ledger: Option<PathBuf>,
}

/// What `nova schema` describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaOf {
    /// nova.toml
    Description,
    /// `nova status -o json`: nova.status/v1
    Status,
    /// `nova drill -o json`: nova.drill/v1
    Drill,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Secrets {
    /// Name the secrets that there are
    List,
    /// Print one
    Show {
        /// As `nova secrets list` names it
        name: String,
    },
    /// Replace one; what uses it goes on without interruption
    Rotate {
        /// As `nova secrets list` names it
        name: String,
    },
    /// Replace one that may be stolen: what it signed is refused within a minute, and clients refresh their access tokens
    Revoke {
        /// As `nova secrets list` names it
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Images {
    /// Build those that do not exist yet
    Build(Described),
    /// Build those that do not exist yet, and load those that some node does not have
    Load {
        #[command(flatten)]
        described: Described,
        /// Load all of them
        #[arg(long)]
        force: bool,
    },
    /// Name them, and say where they are
    List(Described),
}

#[derive(Debug, Subcommand)]
pub(crate) enum MemberCommand {
    /// Move a member's data aside and have it take everything from the others
    Replace(NamedMember),
    /// Form etcd's cluster anew when its quorum is lost for good: from the data of the member that is named, or, when none has any, an
    /// empty one ("etcd"), into which Patroni writes its state again
    Recover(NamedMember),
    /// A Redis server, in the role that its peers and the Sentinels remember (started by the supervisor)
    #[command(hide = true)]
    Redis(MemberDirectory),
    /// A Sentinel that monitors the master that the other Sentinels monitor
    #[command(hide = true)]
    Sentinel(MemberDirectory),
    /// A Kafka broker, its storage formatted when it is new
    #[command(hide = true)]
    Kafka(MemberDirectory),
    /// An etcd member, in the cluster that the others are in
    #[command(hide = true)]
    Etcd(MemberDirectory),
}

#[derive(Debug, Args)]
pub(crate) struct NamedMember {
    #[command(flatten)]
    pub(crate) described: Described,
    /// Which member, such as etcd-2
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}

#[derive(Debug, Args)]
pub(crate) struct MemberDirectory {
    /// The member's directory
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
}

impl Cli {
    /// The profile that was typed.
    pub(crate) const fn profile(&self) -> Option<ProfileArg> {
        match &self.command {
            Command::Deploy(Deploy { profile, .. })
            | Command::Diff(Diff { profile, .. })
            | Command::Render(Render { profile, .. }) => *profile,
            _ => None,
        }
    }

    /// The description that was named, by either spelling.
    pub(crate) fn description(&self) -> Option<PathBuf> {
        let short = match &self.command {
            Command::Deploy(Deploy { described, .. })
            | Command::Status(Status { described, .. })
            | Command::Doctor(Doctor { described, .. })
            | Command::Cleanup(Cleanup { described, .. })
            | Command::Render(Render { described, .. })
            | Command::Diff(Diff { described, .. })
            | Command::Images {
                action: Images::Build(described) | Images::Load { described, .. } | Images::List(described),
            }
            | Command::Member {
                member:
                    MemberCommand::Replace(NamedMember { described, .. })
                    | MemberCommand::Recover(NamedMember { described, .. }),
            }
            | Command::Verify(described) => described.short_file.clone(),
            Command::Drill(drill) => drill.described.short_file.clone(),
            _ => None,
        };
        short.or_else(|| self.global.file.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
