//! What drills do to members: signals to everything that a member runs, orders to the supervisor, and what stands around them.

use std::io;

use futures::future::join_all;
use nova_platform::target::{Harm, RunState};
use nova_platform::topology::components;
use rustix::process::Signal;

use super::{LocalError, LocalTarget, MemberFailure, order};
use crate::process::{Family, Identity, Table, signal_all};
use crate::supervisor::{ClientError, MemberReport, Request};

impl LocalTarget {
    pub(super) async fn harm_members(&self, members: &[String], harm: Harm) -> Result<(), LocalError> {
        let reports = self.reports_of(members).await?;
        match harm {
            Harm::Kill => self.signal(&reports, Signal::KILL, false),
            Harm::Crash => self.signal(&reports, Signal::KILL, true),
            Harm::Freeze => self.signal(&reports, Signal::STOP, false),
            Harm::Thaw => self.signal(&reports, Signal::CONT, false),
            Harm::TakeDown => {
                // Frozen first: none of them notices that it or another one ends, as when a machine loses its power.
                self.signal(&reports, Signal::STOP, false)?;
                each(&reports, |report| self.stop(report, Some(0))).await
            }
            Harm::Drain => {
                // One after the other: what the members of a node have in common ends when nobody needs it any more.
                for level in order::levels(&components(&self.spec), &reports) {
                    let level: Vec<MemberReport> = reports
                        .iter()
                        .filter(|report| level.contains(&report.launch.member))
                        .cloned()
                        .collect();
                    each(&level, |report| self.stop(report, None)).await?;
                }
                Ok(())
            }
            Harm::BringUp => each(&reports, |report| self.start(report)).await,
            Harm::Restart => {
                let restart = |report| async move {
                    self.stop(report, None).await?;
                    self.start(report).await
                };
                each(&reports, restart).await
            }
            Harm::Cut(direction) => self.cut_off(&reports, direction).await,
            Harm::Rejoin => self.connect().await,
            Harm::Fill => self.fill(&reports),
            Harm::Empty => self.empty().map(drop),
        }
    }

    pub(super) async fn heal_members(&self) -> Result<Vec<String>, LocalError> {
        let reports = self.known_members().await?;
        let table = Table::read(self.owner()?.uid);
        let mut healed = Vec::new();
        if self.connect_leftovers().await? {
            healed.push("a node that was cut off".to_owned());
        }
        if self.empty()? {
            healed.push("a disk that was full".to_owned());
        }
        for report in &reports {
            let frozen = self.processes(&table, report).iter().any(Identity::is_frozen);
            if frozen {
                self.signal(std::slice::from_ref(report), Signal::CONT, false)?;
            }
            let down = report.state == RunState::Stopped;
            if down {
                self.start(report).await?;
            }
            if frozen || down {
                healed.push(report.launch.member.clone());
            }
        }
        Ok(healed)
    }

    pub(super) async fn reports_of(&self, members: &[String]) -> Result<Vec<MemberReport>, LocalError> {
        let reports = self.known_members().await?;
        let known = || {
            let names: Vec<&str> = reports.iter().map(|report| report.launch.member.as_str()).collect();
            names.join(", ")
        };
        let one = |member: &String| {
            let found = reports.iter().find(|report| report.launch.member == *member).cloned();
            found.ok_or_else(|| LocalError::UnknownMember {
                name: member.clone(),
                known: known(),
            })
        };
        members.iter().map(one).collect()
    }

    /// Everything that a member runs, its main process first: whoever would start the others again must not outlive them.
    fn processes(&self, table: &Table, report: &MemberReport) -> Vec<Identity> {
        let main = report.pid.and_then(|pid| Identity::of(pid.cast_signed()));
        let family = Family::new(&self.layout, &report.launch.member, &report.launch.children, main);
        let mut processes = table.of(&family);
        processes.sort_by_key(|process| Some(*process) != main);
        processes
    }

    /// `managed_only`: only the programs that a member manages, such as Patroni its PostgreSQL, where it has any.
    fn signal(&self, reports: &[MemberReport], signal: Signal, managed_only: bool) -> Result<(), LocalError> {
        let table = Table::read(self.owner()?.uid);
        // All are found before the first is hit.
        let found: Vec<(&MemberReport, Vec<Identity>)> = reports
            .iter()
            .map(|report| {
                let mut processes = self.processes(&table, report);
                let managed = Table::named(&processes, &report.launch.children);
                if managed_only && !managed.is_empty() {
                    processes = managed;
                }
                (report, processes)
            })
            .collect();
        let mut failed = Vec::new();
        for (report, processes) in found {
            if let Err(source) = signal_all(&processes, signal) {
                failed.push(failure(report, cannot_signal(source)));
            }
        }
        if failed.is_empty() {
            Ok(())
        } else {
            Err(LocalError::Members(failed))
        }
    }

    pub(super) async fn stop(&self, report: &MemberReport, grace_ms: Option<u64>) -> Result<(), LocalError> {
        let stop = Request::Stop {
            member: report.launch.member.clone(),
            grace_ms,
        };
        self.client.ask(&stop).await?;
        Ok(())
    }

    pub(super) async fn start(&self, report: &MemberReport) -> Result<(), LocalError> {
        let launch = Box::new(report.launch.clone());
        self.client.ask(&Request::Ensure { launch }).await?;
        Ok(())
    }
}

async fn each<'a, F>(reports: &'a [MemberReport], act: impl Fn(&'a MemberReport) -> F) -> Result<(), LocalError>
where
    F: Future<Output = Result<(), LocalError>>,
{
    let results = join_all(reports.iter().map(act)).await;
    let failed = reports
        .iter()
        .zip(results)
        .filter_map(|(report, result)| Some(failure(report, result.err()?)));
    let failed: Vec<MemberFailure> = failed.collect();
    if failed.is_empty() {
        Ok(())
    } else {
        Err(LocalError::Members(failed))
    }
}

fn failure(report: &MemberReport, reason: LocalError) -> MemberFailure {
    MemberFailure {
        member: report.launch.member.clone(),
        reason: Box::new(reason),
    }
}

fn cannot_signal(source: io::Error) -> LocalError {
    LocalError::Client(ClientError::Io(source))
}
