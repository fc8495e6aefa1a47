//! Members as they are now.

use std::collections::BTreeMap;

use nova_platform::components::ComponentId;
use nova_platform::target::{MemberStatus, RunState};
use nova_platform::topology::components;

use super::binaries::newest;
use super::{LocalError, LocalTarget, Supplies};
use crate::process::{Table, member_bytes};
use crate::supervisor::{MemberReport, Program, Record, Registry, ensure_running};

impl LocalTarget {
    /// Every member, with the memory that it takes when `memory`, which takes a look at every page that it has.
    ///
    /// # Errors
    /// [`LocalError::NotDeployed`], or when the supervisor cannot be asked.
    pub async fn inspect_members(&self, memory: bool) -> Result<Vec<MemberStatus>, LocalError> {
        if !self.is_deployed()? {
            return Err(self.not_deployed());
        }
        let known = self.known_members().await?;
        let bytes = if memory { self.memory()? } else { BTreeMap::new() };
        let mut reports: BTreeMap<&str, &MemberReport> = known
            .iter()
            .map(|member| (member.launch.member.as_str(), member))
            .collect();
        let mut members = Vec::new();
        for member in components(&self.spec).iter().flat_map(|component| &component.members) {
            let status = match reports.remove(member.name.as_str()) {
                Some(report) => status(report),
                None => never_started(&member.name, &member.component, &member.node_name()),
            };
            members.push(status);
        }
        members.extend(reports.into_values().map(status));
        for member in &mut members {
            member.memory_bytes = bytes.get(&member.name).copied();
        }
        Ok(members)
    }

    /// What the supervisor keeps. When it was ended while members go on, a new one takes them over; when nothing goes on
    /// either, its last notes are read.
    pub(super) async fn known_members(&self) -> Result<Vec<MemberReport>, LocalError> {
        match self.client.list().await {
            Ok(report) => return Ok(report.members),
            Err(error) if error.is_gone() => {}
            Err(error) => return Err(error.into()),
        }
        let registry = Registry::load(self.layout.clone())?;
        let some_run = registry.members().values().any(|record| record.process.is_some());
        if some_run && let Some(program) = self.supervisor_program() {
            return Ok(ensure_running(&self.layout, &self.owner()?, &program).await?.members);
        }
        Ok(registry.members().values().map(unsupervised).collect())
    }

    fn supervisor_program(&self) -> Option<Program> {
        match &self.supplies {
            Supplies::Plans { supervisor, .. } => Some(supervisor.clone()),
            Supplies::None | Supplies::Tools(_) => Some(Program::nova(newest(&self.layout, "nova")?, &self.layout)),
        }
    }

    fn memory(&self) -> Result<BTreeMap<String, u64>, LocalError> {
        let processes = Table::read(self.owner()?.uid).by_directory(&self.layout.members());
        Ok(processes
            .into_iter()
            .map(|(member, processes)| (member, member_bytes(&processes)))
            .collect())
    }
}

/// Nobody starts again what ended while no supervisor was there.
fn unsupervised(record: &Record) -> MemberReport {
    let mut report = record.report();
    if report.state != RunState::Running {
        report.state = RunState::Stopped;
    }
    report
}

fn status(report: &MemberReport) -> MemberStatus {
    MemberStatus {
        name: report.launch.member.clone(),
        component: report.launch.component.clone(),
        node: report.launch.node.clone(),
        state: report.state,
        pid: report.pid,
        started_at_ms: report.started_at_ms,
        restarts: report.restarts,
        last_exit: report.last_exit.clone(),
        memory_bytes: None,
    }
}

fn never_started(name: &str, component: &ComponentId, node: &str) -> MemberStatus {
    MemberStatus {
        name: name.to_owned(),
        component: component.clone(),
        node: node.to_owned(),
        state: RunState::Stopped,
        pid: None,
        started_at_ms: None,
        restarts: 0,
        last_exit: None,
        memory_bytes: None,
    }
}
