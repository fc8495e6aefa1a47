//! Whom a fault hits, and what must be whole again after it.

use std::collections::BTreeSet;

use nova_platform::checks::MemberRole;
use nova_platform::components::{ComponentId, DrillDoor, facts};
use nova_platform::rollout::Prober;
use nova_platform::target::{MemberStatus, Target};
use nova_platform::topology::components;

use super::{Campaign, LOOK, Plan};
use crate::aim::Aim;
use crate::chance::Chance;
use crate::error::DrillError;
use crate::fault::Fault;
use crate::inflict::Blow;

/// The gateway stands on the users' side, on a node of its own where nothing else is.
const GATEWAY: &str = "gateway";

impl<T: Target, P: Prober> Campaign<'_, T, P> {
    /// Whom it hits: who was named, everyone of the component or the node, or the leader; where nobody leads, chance decides. Nodes are
    /// drained in turn.
    pub(super) async fn choose(
        &self,
        plan: &Plan,
        number: u32,
        chance: &mut Chance,
    ) -> Result<Vec<String>, DrillError> {
        let members = self.inspect().await?;
        let described = components(self.spec);
        let members: Vec<MemberStatus> = members
            .into_iter()
            .filter(|member| described.iter().any(|component| component.id == member.component))
            .collect();
        let names = |wanted: &dyn Fn(&MemberStatus) -> bool| -> Vec<String> {
            let chosen = members.iter().filter(|member| wanted(member));
            chosen.map(|member| member.name.clone()).collect()
        };
        if plan.fault.hits_a_node() && plan.component == Aim::Node {
            let nodes: BTreeSet<&str> = members
                .iter()
                .map(|member| member.node.as_str())
                .filter(|node| !node.is_empty() && *node != GATEWAY)
                .collect();
            let nodes: Vec<&str> = nodes.into_iter().collect();
            let chosen = match plan.fault {
                Fault::Drain => in_turn(&nodes, number),
                _ => chance.pick(&nodes),
            };
            let node = plan.member.as_deref().or(chosen.copied());
            return Ok(names(&|member: &MemberStatus| Some(member.node.as_str()) == node));
        }
        let of_component = names(&|member: &MemberStatus| plan.component.is(&member.component));
        if matches!(plan.fault, Fault::Cold | Fault::Rolling) {
            return Ok(of_component);
        }
        let on_its_node = |name: String| {
            let node = members
                .iter()
                .find(|member| member.name == name)
                .map(|member| member.node.clone());
            match plan.fault.hits_a_node() {
                true => names(&|member: &MemberStatus| Some(&member.node) == node.as_ref()),
                false => vec![name],
            }
        };
        if let Some(member) = &plan.member {
            return Ok(on_its_node(member.clone()));
        }
        let roles = match &plan.component {
            Aim::Component(id) => self.prober.roles(id, LOOK).await,
            Aim::Node | Aim::All => Vec::new(),
        };
        let leader = roles.into_iter().find(MemberRole::leads).map(|role| role.member);
        let all_alike: Vec<String> = of_component
            .into_iter()
            .filter(|name| !name.starts_with("sentinel-"))
            .collect();
        leader
            .or_else(|| chance.pick(&all_alike).cloned())
            .map(on_its_node)
            .ok_or_else(|| DrillError::NoMember {
                component: plan.component.clone(),
            })
    }

    /// The service whose requests count in a run: the one that is hit, or of a node the first that is asked for anything.
    pub(super) fn asked(&self, plan: &Plan) -> String {
        let is_asked = |id: &ComponentId| {
            let doors = facts(id).drill.as_ref().map_or(&[][..], |facts| facts.doors);
            doors.contains(&DrillDoor::Requests)
        };
        let first = match plan.component {
            Aim::Component(_) => None,
            Aim::Node | Aim::All => components(self.spec)
                .into_iter()
                .map(|component| component.id)
                .find(is_asked),
        };
        first.map_or_else(|| plan.component.to_string(), |id| id.to_string())
    }

    /// The components that must be whole again: those of the members that are hit, and what stands on them.
    pub(super) fn touched(&self, blow: &Blow) -> Vec<ComponentId> {
        // Whoever shares a full disk is out of room as well.
        if blow.fault.hits_a_node() || blow.fault == Fault::DiskFull {
            return Vec::new();
        }
        match &blow.component {
            Aim::Component(ComponentId::Etcd) => vec![ComponentId::Etcd, ComponentId::Postgres],
            Aim::Component(id) => vec![id.clone()],
            Aim::Node | Aim::All => Vec::new(),
        }
    }
}

/// The one whose turn it is in the run of this number, which counts from 1.
fn in_turn<T>(all: &[T], number: u32) -> Option<&T> {
    let number = usize::try_from(number).ok()?.saturating_sub(1);
    all.get(number.checked_rem(all.len())?)
}

#[cfg(test)]
mod tests {
    use super::in_turn;

    #[test]
    fn everybody_has_a_turn() {
        let nodes = ["node-1", "node-2", "node-3"];
        let turns: Vec<_> = (1..=4).filter_map(|number| in_turn(&nodes, number)).collect();
        assert_eq!(turns, [&"node-1", &"node-2", &"node-3", &"node-1"]);
        assert_eq!(in_turn::<&str>(&[], 1), None);
    }
}
