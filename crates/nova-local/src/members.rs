//! From the description to what each member runs on this machine: pure functions, one kind of member a file. What members are
//! configured with is the same on every target, and made in [`nova_platform::config`]. Nothing here touches the machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nova_platform::components::{facts, ports_of_kind};
use nova_platform::config;
use nova_platform::endpoints::HostPort;
use nova_platform::secrets::Secrets;
use nova_platform::spec::Spec;
use nova_platform::topology::{self, Kind, Member};
use secrecy::ExposeSecret;

use crate::doctor::Programs;
use crate::plan::{MemberPlan, PlannedFile, StopSignal};

mod etcd;
mod gateway;
mod kafka;
mod postgres;
mod redis;
mod service;

pub use nova_platform::config::service::OPERATIONS_OFFSET;

/// Everything that plans are made from.
#[derive(Clone, Copy)]
pub struct Site<'a> {
    /// The validated description.
    pub spec: &'a Spec,
    /// Passwords and keys.
    pub secrets: &'a Secrets,
    /// The platform's state directory; a member's own is `members/<name>` in it.
    pub state: &'a Path,
    /// Where the data tier's programs are.
    pub programs: &'a Programs,
    /// A copy of the `nova` binary that members may run.
    pub nova: &'a Path,
    /// The services' binaries, by service name.
    pub services: &'a BTreeMap<String, PathBuf>,
    /// Processor cores, which all members share.
    pub cores: usize,
}

/// Why no plan could be made.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A secret that should have been generated is not there.
    #[error("secret {0:?} does not exist; run `nova deploy` once more, which generates what is missing")]
    NoSecret(String),
    /// The platform has a service without a program.
    #[error("no program for service {0:?}; build it with `cargo build --release --bin {0}`")]
    NoProgram(String),
}

/// What every member runs, in the order of [`topology::components`].
///
/// # Errors
/// When a secret or a service's binary is missing.
pub fn plans(site: &Site<'_>) -> Result<Vec<MemberPlan>, PlanError> {
    topology::components(site.spec)
        .iter()
        .flat_map(|component| &component.members)
        .map(|member| plan(site, member))
        .collect()
}

/// What one member runs.
///
/// # Errors
/// When a secret or a service's binary is missing.
#[warn(clippy::wildcard_enum_match_arm)]
pub fn plan(site: &Site<'_>, member: &Member) -> Result<MemberPlan, PlanError> {
    match member.kind {
        Kind::Etcd => Ok(etcd::plan(site, member)),
        Kind::Postgres => postgres::plan(site, member),
        Kind::Redis => redis::plan(site, member),
        Kind::Sentinel => redis::sentinel_plan(site, member),
        Kind::Kafka => Ok(kafka::plan(site, member)),
        Kind::Gateway => Ok(gateway::plan(site, member)),
        Kind::Service => service::plan(site, member),
    }
}

/// The address that a member listens on: its node's, or the gateway's.
#[must_use]
pub fn address(spec: &Spec, member: &Member) -> String {
    member.node.map_or_else(
        || spec.local.gateway_address.clone(),
        |node| format!("{}.{node}", spec.local.network),
    )
}

impl Site<'_> {
    /// A member's own directory, its working directory.
    #[must_use]
    pub fn member_dir(&self, member: &str) -> PathBuf {
        self.state.join("members").join(member)
    }

    /// Where a secret is kept for services to read.
    #[must_use]
    pub fn secret_file(&self, name: &str) -> PathBuf {
        self.state.join("secrets").join(name)
    }

    fn secret(&self, name: &str) -> Result<&str, PlanError> {
        self.secrets
            .get(name)
            .map(ExposeSecret::expose_secret)
            .ok_or_else(|| PlanError::NoSecret(name.to_owned()))
    }
}

/// A member is met where it listens: at its node's address.
impl config::Site for Site<'_> {
    fn spec(&self) -> &Spec {
        self.spec
    }

    fn host(&self, member: &Member) -> String {
        address(self.spec, member)
    }

    fn bind(&self, member: &Member) -> String {
        address(self.spec, member)
    }
}

/// A plan with what all members share; each kind fills in the rest.
fn base_plan(member: &Member, program: impl Into<PathBuf>) -> MemberPlan {
    let facts = facts(&member.component);
    MemberPlan {
        name: member.name.clone(),
        component: member.component.clone(),
        node: member.node_name(),
        program: program.into(),
        args: Vec::new(),
        env: BTreeMap::from([
            ("LANG".to_owned(), "C.UTF-8".to_owned()),
            ("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned()),
            ("TZ".to_owned(), "UTC".to_owned()),
        ]),
        files: Vec::new(),
        directories: Vec::new(),
        ports: Vec::new(),
        children: facts.managed.iter().map(|program| (*program).to_owned()).collect(),
        leader_key: None,
        postgres: None,
        redis: None,
        kafka: None,
        sentinel: None,
        etcd: None,
        stop_signal: StopSignal::Term,
        stop_grace: facts.stop.here,
    }
}

/// Where a member listens on this machine.
fn ports(spec: &Spec, member: &Member) -> Vec<HostPort> {
    let own = address(spec, member);
    let all = ports_of_kind(spec, &member.component, member.kind);
    let here = all.iter().filter(|port| !port.only_in_cluster);
    here.map(|port| HostPort::new(&own, port.number)).collect()
}

fn file(path: &str, content: impl Into<String>) -> PlannedFile {
    PlannedFile {
        path: path.into(),
        content: content.into(),
        once: false,
        at_start: false,
    }
}

fn once(path: &str, content: impl Into<String>) -> PlannedFile {
    PlannedFile {
        once: true,
        ..file(path, content)
    }
}

fn at_start(path: &str, content: impl Into<String>) -> PlannedFile {
    PlannedFile {
        at_start: true,
        ..file(path, content)
    }
}

#[cfg(test)]
mod tests;
