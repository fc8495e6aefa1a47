//! A node cut off from the others: which members and addresses are on which side.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use nova_platform::target::Direction;

use super::{LocalError, LocalTarget};
use crate::layout::Layout;
use crate::partition::{self, Side, Sides};
use crate::process::{Family, Identity, Table};
use crate::supervisor::MemberReport;

/// What stands on the users' side.
const GATEWAY: &str = "gateway";

impl LocalTarget {
    /// Cuts the node of these members off. Repeated, it looks at who is new and does the rest only then.
    pub(super) async fn cut_off(&self, hit: &[MemberReport], direction: Direction) -> Result<(), LocalError> {
        let (platform, layout, uid) = (self.layout.platform(), self.layout.clone(), self.owner()?.uid);
        let mut members = self.known_members().await?;
        members.retain(|member| member.launch.node != GATEWAY);
        let mains: Vec<i32> = members
            .iter()
            .filter_map(|member| Some(member.pid?.cast_signed()))
            .collect();
        if partition::holds(&platform, &mains) {
            return Ok(());
        }
        let nodes: BTreeSet<String> = hit.iter().map(|member| member.launch.node.clone()).collect();
        let sides = move || sides(&layout, uid, &members, &nodes);
        Ok(partition::cut(&platform, direction, sides).await?)
    }

    /// Connects whatever node is cut off.
    pub(super) async fn connect(&self) -> Result<(), LocalError> {
        match partition::rejoin(&self.layout.platform(), self.home().await).await? {
            Some(false) => Err(partition::PartitionError::NoEffect.into()),
            Some(true) | None => Ok(()),
        }
    }

    /// Undoes a partition that a drill left. Returns whether there was one.
    pub(super) async fn connect_leftovers(&self) -> Result<bool, LocalError> {
        let platform = self.layout.platform();
        if !partition::is_there(&platform) {
            return Ok(false);
        }
        partition::rejoin(&platform, self.home().await).await?;
        Ok(true)
    }

    /// The supervisor's process: its members belong where it is.
    async fn home(&self) -> Option<i32> {
        let report = self.client.list().await.ok()?;
        Some(report.pid.cast_signed())
    }
}

fn sides(layout: &Layout, uid: u32, members: &[MemberReport], nodes: &BTreeSet<String>) -> Sides {
    let table = Table::read(uid);
    let mut sides = Sides::default();
    for member in members {
        let side = match nodes.contains(&member.launch.node) {
            true => &mut sides.cut,
            false => &mut sides.others,
        };
        add(side, layout, &table, member);
    }
    sides
}

fn add(side: &mut Side, layout: &Layout, table: &Table, member: &MemberReport) {
    let addresses = member.launch.addresses();
    side.addresses
        .extend(addresses.filter_map(|address| address.host.parse::<Ipv4Addr>().ok()));
    let main = member.pid.and_then(|pid| Identity::of(pid.cast_signed()));
    let family = Family::new(layout, &member.launch.member, &member.launch.children, main);
    side.processes
        .extend(table.of(&family).iter().map(|process| process.pid));
}
