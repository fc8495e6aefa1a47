//! Whom a fault hits, and what must be whole again after it.

use nova_platform::checks::MemberRole;
use nova_platform::target::Target;
use nova_platform::topology::{Member, NODES, components};

use super::{Campaign, LOOK, Plan};
use crate::chance::Chance;
use crate::error::DrillError;
use crate::fault::Fault;
use crate::inflict::Blow;

impl<T: Target> Campaign<'_, T> {
    /// Whom it hits: who was named, everyone of the component or the node, or the leader; where nobody leads, chance decides.
    pub(super) async fn choose(&self, plan: &Plan, chance: &mut Chance) -> Result<Vec<String>, DrillError> {
        let members: Vec<Member> = components(self.spec)
            .into_iter()
            .flat_map(|component| component.members)
            .collect();
        let names = |wanted: &dyn Fn(&Member) -> bool| -> Vec<String> {
            let chosen = members.iter().filter(|member| wanted(member));
            chosen.map(|member| member.name.clone()).collect()
        };
        if plan.fault.hits_a_node() && plan.component == "node" {
            let nodes: Vec<u16> = (1..=NODES).collect();
            let named = plan
                .member
                .as_ref()
                .and_then(|name| name.strip_prefix("node-")?.parse().ok());
            let node = named.or_else(|| chance.pick(&nodes).copied());
            return Ok(names(&|member: &Member| member.node == node));
        }
        let of_component = names(&|member: &Member| member.component == plan.component);
        if matches!(plan.fault, Fault::Cold | Fault::Rolling) {
            return Ok(of_component);
        }
        let on_its_node = |name: String| {
            let node = members
                .iter()
                .find(|member| member.name == name)
                .and_then(|member| member.node);
            match plan.fault.hits_a_node() {
                true => names(&|member: &Member| member.node == node),
                false => vec![name],
            }
        };
        if let Some(member) = &plan.member {
            return Ok(on_its_node(member.clone()));
        }
        let roles = self.checks.roles(&plan.component, LOOK).await;
        let leader = roles.into_iter().find(MemberRole::leads).map(|role| role.member);
        let all_alike: Vec<String> = of_component
            .into_iter()
            .filter(|name| !name.starts_with("sentinel-"))
            .collect();
        leader
            .or_else(|| chance.pick(&all_alike).cloned())
            .map(on_its_node)
            .ok_or_else(|| DrillError::Failed(format!("{} has no member to hit", plan.component)))
    }

    /// The components that must be whole again: those of the members that are hit, and what stands on them.
    pub(super) fn touched(&self, blow: &Blow) -> Vec<String> {
        if blow.fault.hits_a_node() {
            return Vec::new();
        }
        let mut touched = vec![blow.component.clone()];
        if blow.component == "etcd" {
            touched.push("postgres".to_owned());
        }
        touched
    }
}
