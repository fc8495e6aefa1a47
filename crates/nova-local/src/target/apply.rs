//! Brings members to what the description wants, and ends those that it no longer has.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use futures::future::join_all;
use nova_member::{Address, etcd_leave, etcd_start};
use nova_platform::components::{ComponentId, names};
use nova_platform::topology::components;

use super::binaries::remove_unused;
use super::parts::launch;
use super::prepare::running;
use super::{LocalError, LocalTarget, MemberFailure, Prepared};
use crate::layout::{FileError, Layout, Owner, ensure_directory, remove_if_present, write_atomic};
use crate::plan::MemberPlan;
use crate::supervisor::{MemberReport, Request};

impl LocalTarget {
    pub(super) async fn apply_component(&self, component: &ComponentId) -> Result<(), LocalError> {
        let prepared = self.prepared().await?;
        let members: Vec<&MemberPlan> = prepared
            .members
            .iter()
            .filter(|plan| plan.component == *component)
            .collect();
        if members.is_empty() {
            return Err(LocalError::UnknownComponent {
                name: component.to_string(),
                known: names(components(&self.spec).iter().map(|component| &component.id)),
            });
        }
        self.apply_members(prepared, &members).await
    }

    pub(super) async fn apply_one(&self, member: &str) -> Result<(), LocalError> {
        let prepared = self.prepared().await?;
        let Some(plan) = prepared.members.iter().find(|plan| plan.name == member) else {
            let known = prepared.members.iter().map(|plan| plan.name.as_str());
            return Err(LocalError::UnknownMember {
                name: member.to_owned(),
                known: known.collect::<Vec<_>>().join(", "),
            });
        };
        self.apply_members(prepared, &[plan]).await
    }

    /// Nothing is written before it is certain that every one of these members can have its ports.
    async fn apply_members(&self, prepared: &Prepared, members: &[&MemberPlan]) -> Result<(), LocalError> {
        let report = self.client.list().await?;
        let running = running(&report.members);
        for plan in members {
            self.check_ports(plan, running.get(plan.name.as_str()).copied(), &prepared.owner)?;
        }
        let results = join_all(members.iter().map(|plan| self.apply_member(prepared, plan))).await;
        let failed = members.iter().zip(results).filter_map(|(plan, result)| {
            result.err().map(|reason| MemberFailure {
                member: plan.name.clone(),
                reason: Box::new(reason),
            })
        });
        let failed: Vec<MemberFailure> = failed.collect();
        if failed.is_empty() {
            Ok(())
        } else {
            Err(LocalError::Members(failed))
        }
    }

    async fn apply_member(&self, prepared: &Prepared, plan: &MemberPlan) -> Result<(), LocalError> {
        lay_out(&self.layout, plan, &prepared.owner)?;
        if plan.etcd.is_some() {
            // It left, and is wanted again.
            remove_if_present(&self.layout.member(&plan.name).join(etcd_start::LEAVES))?;
        }
        let launch = Box::new(launch(plan, &self.spec, &prepared.helper));
        self.client.ask(&Request::Ensure { launch }).await?;
        Ok(())
    }

    /// Data directories of members that are no longer wanted stay, as with a cleanup.
    pub(super) async fn forget_unwanted(&self) -> Result<(), LocalError> {
        let prepared = self.prepared().await?;
        let wanted: BTreeSet<&str> = prepared.members.iter().map(|plan| plan.name.as_str()).collect();
        let report = self.client.list().await?;
        let is_unwanted = |member: &&MemberReport| !wanted.contains(member.launch.member.as_str());
        self.leave_etcd(&report.members, &wanted, &prepared.owner).await?;
        for member in report.members.iter().filter(is_unwanted) {
            let member = &member.launch.member;
            let forget = Request::Forget {
                member: member.clone(),
                grace_ms: None,
            };
            self.client.ask(&forget).await?;
            remove_if_present(&self.layout.log(member))?;
            remove_if_present(&self.layout.previous_log(member))?;
        }
        let used: BTreeSet<PathBuf> = prepared
            .members
            .iter()
            .map(|plan| plan.program.clone())
            .chain([prepared.helper.clone(), report.program])
            .collect();
        remove_unused(&self.layout, &used);
        Ok(())
    }

    /// Members of etcd leave its cluster while they run: those that stay would otherwise wait for them to come back, with their votes.
    async fn leave_etcd(
        &self,
        members: &[MemberReport],
        wanted: &BTreeSet<&str>,
        owner: &Owner,
    ) -> Result<(), LocalError> {
        let etcd = members
            .iter()
            .filter(|member| member.launch.component == ComponentId::Etcd);
        let (staying, leaving): (Vec<_>, Vec<_>) =
            etcd.partition(|member| wanted.contains(member.launch.member.as_str()));
        // Where nobody stays, nobody waits for them.
        if leaving.is_empty() || staying.is_empty() {
            return Ok(());
        }
        let staying: Vec<Address> = staying.into_iter().filter_map(client_address).collect();
        let leaving: Vec<String> = leaving.iter().map(|member| member.launch.member.clone()).collect();
        for member in &leaving {
            // It ends with its removal, and is not to join again while it is still kept.
            let home = self.layout.member(member);
            if home.is_dir() {
                write_atomic(&home.join(etcd_start::LEAVES), b"", 0o600, owner)?;
            }
        }
        let failed = |why: String| LocalError::Leave {
            members: leaving.join(", "),
            why,
        };
        let names = leaving.clone();
        let left = tokio::task::spawn_blocking(move || etcd_leave::leave(&staying, &names)).await;
        if let Err(why) = left.unwrap_or_else(|error| Err(error.to_string())) {
            for member in &leaving {
                remove_if_present(&self.layout.member(member).join(etcd_start::LEAVES))?;
            }
            return Err(failed(why));
        }
        Ok(())
    }
}

/// Where clients meet a member of etcd, as it was started: its first port.
fn client_address(member: &MemberReport) -> Option<Address> {
    let (host, port) = member.launch.ports.first()?;
    Some(Address {
        member: member.launch.member.clone(),
        host: host.clone(),
        port: *port,
    })
}

/// Makes a member's directory and what must stand in it before it starts.
fn lay_out(layout: &Layout, plan: &MemberPlan, owner: &Owner) -> Result<(), FileError> {
    let home = layout.member(&plan.name);
    ensure_directory(&home, 0o700, owner)?;
    for directory in &plan.directories {
        ensure_below(&home, directory, owner)?;
    }
    for file in &plan.files {
        if let Some(parent) = file.path.parent() {
            ensure_below(&home, parent, owner)?;
        }
        let path = home.join(&file.path);
        if file.once && fs::symlink_metadata(&path).is_ok() {
            continue;
        }
        write_atomic(&path, file.content.as_bytes(), 0o600, owner)?;
    }
    Ok(())
}

/// Every step on the way is looked at: none may be a link that leads elsewhere.
fn ensure_below(home: &Path, relative: &Path, owner: &Owner) -> Result<(), FileError> {
    let mut path = home.to_owned();
    for step in relative.components() {
        path.push(step);
        ensure_directory(&path, 0o700, owner)?;
    }
    Ok(())
}
