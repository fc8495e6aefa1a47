//! What a deploy would do to each member.

use std::collections::{BTreeMap, BTreeSet};

use nova_platform::target::{Action, Plan, PlanStep, RunState};

use super::parts::{difference, parts};
use super::{LocalError, LocalTarget};
use crate::supervisor::MemberReport;

impl LocalTarget {
    pub(super) async fn make_plan(&self) -> Result<Plan, LocalError> {
        let (wanted, helper) = self.rehearse()?;
        let known = if self.is_deployed()? {
            self.known_members().await?
        } else {
            Vec::new()
        };
        let known: BTreeMap<&str, &MemberReport> = known
            .iter()
            .map(|member| (member.launch.member.as_str(), member))
            .collect();
        let mut steps: Vec<PlanStep> = wanted
            .iter()
            .map(|plan| {
                let present = known.get(plan.name.as_str()).copied();
                let (action, reason) = compare(present, &parts(plan, &helper));
                PlanStep {
                    member: plan.name.clone(),
                    component: plan.component.clone(),
                    action,
                    reason,
                }
            })
            .collect();
        let wanted: BTreeSet<&str> = wanted.iter().map(|plan| plan.name.as_str()).collect();
        let unwanted = known
            .values()
            .filter(|member| !wanted.contains(member.launch.member.as_str()));
        steps.extend(unwanted.map(|member| PlanStep {
            member: member.launch.member.clone(),
            component: member.launch.component.clone(),
            action: Action::Delete,
            reason: None,
        }));
        Ok(Plan { steps })
    }
}

fn compare(present: Option<&MemberReport>, wanted: &BTreeMap<String, String>) -> (Action, Option<String>) {
    let Some(present) = present else {
        return (Action::Create, None);
    };
    let different = difference(&present.launch.parts, wanted);
    if !different.is_empty() {
        return (Action::Change, Some(different.join(", ")));
    }
    match present.state {
        RunState::Running => (Action::Keep, None),
        _ => (Action::Start, present.last_exit.clone()),
    }
}
