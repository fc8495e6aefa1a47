//! Whom a drill can be told to hit: members and nodes, as the description or the target names them.

use std::collections::{BTreeMap, BTreeSet};

use nova_drill::aim::Aim;
use nova_drill::campaign::Plan;
use nova_drill::error::UsageError;
use nova_platform::target::Target;
use nova_platform::topology::{NODES, components};

use super::Session;

/// The members of each component, and of `node` the nodes.
pub(super) struct Known(BTreeMap<Aim, BTreeSet<String>>);

impl Known {
    /// As the description names them.
    pub(super) fn described(session: &Session) -> Self {
        let members = components(session.spec()).into_iter().map(|component| {
            let names = component.members.into_iter().map(|member| member.name);
            (Aim::from(component.id), names.collect())
        });
        let nodes = (1..=NODES).map(|node| format!("node-{node}")).collect();
        Self(members.chain([(Aim::Node, nodes)]).collect())
    }

    /// As the target names those that are there.
    pub(super) async fn seen<T: Target>(target: &T) -> Result<Self, T::Error> {
        let mut known: BTreeMap<Aim, BTreeSet<String>> = BTreeMap::new();
        for member in target.inspect().await? {
            // One that waits for a place has none.
            if !member.node.is_empty() {
                known.entry(Aim::Node).or_default().insert(member.node);
            }
            known.entry(member.component.into()).or_default().insert(member.name);
        }
        Ok(Self(known))
    }

    /// Whether whoever is to be hit is among them.
    pub(super) fn check(&self, plans: &[Plan]) -> Result<(), UsageError> {
        for plan in plans {
            let Some(member) = &plan.member else { continue };
            let members = self.0.get(&plan.component).cloned().unwrap_or_default();
            if !members.contains(member) {
                return Err(UsageError::UnknownMember {
                    component: plan.component.clone(),
                    typed: member.clone(),
                    known: members.into_iter().collect(),
                });
            }
        }
        Ok(())
    }
}
