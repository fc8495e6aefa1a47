//! What runs in the cluster: from the description to one [`Workload`] a StatefulSet or Deployment. Resources are made from
//! these, all in the same way; what a kind of member needs of its own stands here and nowhere else.

mod agent;
mod etcd;
mod gateway;
mod kafka;
mod microservice;
mod postgres;
mod redis;
mod sentinel;
mod site;

use std::collections::BTreeMap;

use nova_platform::components::{ComponentId, Kind, facts, ports_of_kind};
use nova_platform::spec::Spec;
use nova_platform::units::Size;

use crate::names::Area;
use crate::profile::{Profile, Sizes};

pub(crate) use gateway::{MEMBERS as GATEWAYS, door_port};
pub(crate) use postgres::PID_FILE as POSTGRES_PID_FILE;
pub(crate) use site::ClusterSite;

/// Where the ConfigMap is mounted.
pub(crate) const CONFIG_DIR: &str = "/config";
/// Where the Secret is mounted.
pub(crate) const SECRETS_DIR: &str = "/secrets";
/// Where the volume of a store's member is mounted.
pub(crate) const DATA_DIR: &str = "/data";
/// The working directory: what a member writes about itself, gone with the pod.
pub(crate) const RUN_DIR: &str = "/run/nova";
/// The variable that holds the pod's name, which is the member's.
pub(crate) const MEMBER_VARIABLE: &str = "NOVA_MEMBER";

/// One StatefulSet or Deployment, and everything that is made for it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Workload {
    /// Of the StatefulSet or Deployment, and `app.kubernetes.io/name`.
    pub(crate) name: String,
    /// The component that it belongs to.
    pub(crate) component: ComponentId,
    /// Its namespace.
    pub(crate) area: Area,
    /// The image's name, as [`crate::images::Images::reference`] takes it.
    pub(crate) image: String,
    /// Program and arguments.
    pub(crate) command: Vec<String>,
    /// Variables besides those that every container has.
    pub(crate) env: BTreeMap<String, String>,
    /// What it listens on.
    pub(crate) ports: Vec<Port>,
    /// How the kubelet asks whether it is well.
    pub(crate) probes: Probes,
    /// Files of its ConfigMap; none: there is no ConfigMap.
    pub(crate) config: BTreeMap<String, String>,
    /// Those of them that count for a new cluster only: a change does not roll the pods.
    pub(crate) config_once: &'static [&'static str],
    /// The Secret whose keys it reads as files.
    pub(crate) secret: Option<String>,
    /// Directories that may be written besides the volume.
    pub(crate) scratch: Vec<Scratch>,
    /// What kube-score asks of a pod and does not fit this one: the check, and why.
    pub(crate) exceptions: &'static [(&'static str, &'static str)],
    /// What a member asks for and may use.
    pub(crate) sizes: Sizes,
    /// Members that run.
    pub(crate) members: u16,
    /// A store with a volume a member, or something without state.
    pub(crate) form: Form,
    /// Seconds between the pod's leaving the endpoints and SIGTERM.
    pub(crate) linger: u16,
    /// Seconds from there until SIGKILL, `linger` included.
    pub(crate) grace: u16,
}

/// What keeps the members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A StatefulSet: members have names, volumes and Services of their own.
    Store {
        /// Of each member.
        volume: Size,
        /// Seconds that a member must have been ready before the next one is replaced.
        settle: u16,
    },
    /// A Deployment: members are alike.
    Stateless {
        /// Members that load may raise it to; not above `members`: it is not scaled.
        members_max: u16,
    },
}

/// A port that a member listens on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Port {
    /// At most 15 letters, digits and dashes.
    pub(crate) name: String,
    /// The number inside the pod.
    pub(crate) number: u16,
}

impl Port {
    /// What members of a kind listen on.
    fn of(spec: &Spec, id: &ComponentId, kind: Kind) -> Vec<Self> {
        let ports = ports_of_kind(spec, id, kind).into_iter();
        ports.map(|port| Self::new(port.name, port.number)).collect()
    }

    fn new(name: impl Into<String>, number: u16) -> Self {
        Self {
            name: name.into(),
            number,
        }
    }
}

/// A directory that may be written and is gone with the pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scratch {
    /// The volume's name.
    pub(crate) name: &'static str,
    /// Where it is mounted.
    pub(crate) path: &'static str,
    /// How much fits in.
    pub(crate) size: Size,
    /// In memory, and counted as the container's, instead of on the node's disk.
    pub(crate) memory: bool,
}

/// The three probes of a container.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Probes {
    /// Until this has succeeded once, the others are not asked.
    pub(crate) startup: Probe,
    /// Whether Services send anything.
    pub(crate) readiness: Probe,
    /// Whether it is ended and started again.
    pub(crate) liveness: Probe,
}

/// One probe.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Probe {
    /// What is asked.
    pub(crate) ask: Ask,
    /// Seconds between two.
    pub(crate) period: u16,
    /// Seconds that an answer may take.
    pub(crate) timeout: u16,
    /// Failures in a row that count.
    pub(crate) failures: u16,
}

/// What a probe asks.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ask {
    /// A GET that must be answered with a 2xx or 3xx.
    Http(&'static str, u16),
    /// A connection.
    Tcp(u16),
    /// A program in the container that must exit with 0.
    Exec(Vec<String>),
}

impl Probe {
    /// Until a member is up: every second, for five minutes. A replica that copies everything, or a whole cluster that starts
    /// cold, is slow and not broken.
    fn startup(ask: Ask) -> Self {
        Self {
            ask,
            period: 1,
            timeout: 3,
            failures: 300,
        }
    }

    fn readiness(ask: Ask) -> Self {
        Self {
            ask,
            period: 3,
            timeout: 3,
            failures: 2,
        }
    }

    /// Slow to judge: a restart costs more than a minute of patience, above all on a node that is overloaded.
    fn liveness(ask: Ask) -> Self {
        Self {
            ask,
            period: 10,
            timeout: 5,
            failures: 6,
        }
    }
}

impl Workload {
    /// Whether load changes the number of its members.
    pub(crate) fn is_scaled(&self) -> bool {
        self.members_max() > self.members
    }

    /// The most members that there may be.
    pub(crate) fn members_max(&self) -> u16 {
        match self.form {
            Form::Store { .. } => self.members,
            Form::Stateless { members_max } => members_max.max(self.members),
        }
    }

    /// The volume of each member, of a store.
    pub(crate) fn volume(&self) -> Option<Size> {
        match self.form {
            Form::Store { volume, .. } => Some(volume),
            Form::Stateless { .. } => None,
        }
    }

    /// The names of its members, of a store: those of the pods.
    pub(crate) fn member_names(&self) -> Vec<String> {
        match self.form {
            Form::Store { .. } => (1..=self.members)
                .map(|ordinal| format!("{}-{ordinal}", self.name))
                .collect(),
            Form::Stateless { .. } => Vec::new(),
        }
    }
}

/// Everything that runs, in the order of the platform's components, the agent last.
pub(crate) fn workloads(spec: &Spec, profile: Profile) -> Vec<Workload> {
    let services = spec.services.keys().map(|name| ComponentId::service(name));
    let every = ComponentId::OWN.into_iter().chain(services);
    let mut all: Vec<Workload> = every.flat_map(|id| of_component(spec, profile, &id)).collect();
    all.extend(of_component(spec, profile, &ComponentId::Agent));
    all
}

/// A workload a kind of member.
#[warn(clippy::wildcard_enum_match_arm)]
fn of_component(spec: &Spec, profile: Profile, id: &ComponentId) -> Vec<Workload> {
    match id {
        ComponentId::Etcd => vec![etcd::workload(spec, profile)],
        ComponentId::Postgres => vec![postgres::workload(spec, profile)],
        ComponentId::Redis => vec![redis::workload(spec, profile), sentinel::workload(spec, profile)],
        ComponentId::Kafka => vec![kafka::workload(spec, profile)],
        ComponentId::Gateway => vec![gateway::workload(spec, profile)],
        ComponentId::Service(name) => {
            let service = spec.services.get(&**name);
            service
                .map(|service| microservice::workload(spec, profile, name, service))
                .into_iter()
                .collect()
        }
        ComponentId::Agent => vec![agent::workload(profile)],
        ComponentId::Foundation => Vec::new(),
    }
}

/// What members of a component run from.
fn image(id: &ComponentId) -> String {
    facts(id).image.map_or_else(String::new, |image| image.name.to_owned())
}

/// The working directory, in memory: what is written there may hold passwords.
const fn run_dir() -> Scratch {
    Scratch {
        name: "run",
        path: RUN_DIR,
        size: Size(16 << 20),
        memory: true,
    }
}

/// Files of programs that know no other place.
const fn tmp_dir() -> Scratch {
    Scratch {
        name: "tmp",
        path: "/tmp",
        size: Size(64 << 20),
        memory: false,
    }
}

const NOVA_MEMBER: &str = "/usr/local/bin/nova-member";

/// What starts a program with its arguments: it is not the first process of its container, so it is told every signal and can be killed.
fn run<'a>(program: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    run_as("run", program)
}

/// The same for one that lets what runs come to its end when it is told SIGUSR1.
fn run_softly<'a>(program: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    run_as("run-softly", program)
}

fn run_as<'a>(word: &'a str, program: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    [NOVA_MEMBER, word]
        .into_iter()
        .chain(program)
        .map(str::to_owned)
        .collect()
}

/// What starts a member of a store that must find out something first.
fn nova_member(kind: &str) -> Vec<String> {
    let member = format!("$({MEMBER_VARIABLE})");
    let words = [
        NOVA_MEMBER,
        kind,
        "--config",
        CONFIG_DIR,
        "--member",
        &member,
        "--secrets",
        SECRETS_DIR,
        "--data",
        DATA_DIR,
        "--run",
        RUN_DIR,
    ];
    words.map(str::to_owned).into()
}

/// The same for one that says whether it is ready, at this port.
fn nova_member_ready(kind: &str, port: u16) -> Vec<String> {
    let mut words = nova_member(kind);
    words.extend(["--ready".to_owned(), port.to_string()]);
    words
}
