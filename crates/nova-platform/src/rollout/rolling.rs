//! Changes the members of a component that serves one after another, so that it goes on serving: each next one only when
//! the one before has proved itself, whoever leads last.

use std::collections::{BTreeMap, BTreeSet};

use super::{Ascent, Event, Prober, ROUND, Stopped};
use crate::probe::MemberRole;
use crate::target::{Action, Target};

impl<T: Target, P: Prober> Ascent<'_, T, P> {
    /// Does nothing where the target does this by itself, when fewer than two members change, or when the component does not serve: then there is nothing to
    /// keep up, and the change may be what mends it.
    /// Returns the checks that failed before, and may go on failing.
    pub(super) async fn roll(&self, before: &BTreeMap<String, u32>) -> Result<BTreeSet<String>, Stopped> {
        if self.target.rolls_itself() {
            return Ok(BTreeSet::new());
        }
        let steps = self.plan.steps.iter();
        let changed = steps.filter(|step| step.component == self.component.id && step.action == Action::Change);
        let mut changed: Vec<String> = changed.map(|step| step.member.clone()).collect();
        if changed.len() < 2 {
            return Ok(BTreeSet::new());
        }
        let results = self.prober.check(&self.component.id, ROUND.min(self.remaining())).await;
        if results.iter().any(|result| !result.ok && result.essential) {
            return Ok(BTreeSet::new());
        }
        // What failed before the change, such as a replica that is away, must not hold it up.
        let tolerated: BTreeSet<String> = results
            .into_iter()
            .filter(|result| !result.ok)
            .map(|result| result.name)
            .collect();
        let leading = self.leading().await;
        changed.sort_by_key(|member| leading.contains(member));
        let total = changed.len();
        for (index, member) in changed.iter().enumerate() {
            self.tell(Event::Rolling {
                component: self.name(),
                member: member.clone(),
                number: index + 1,
                of: total,
            });
            if let Err(error) = self.target.apply_member(member).await {
                return Err(self.refused(&error));
            }
            self.prove(before, &tolerated, None).await?;
        }
        Ok(tolerated)
    }

    async fn leading(&self) -> BTreeSet<String> {
        let roles = self.prober.roles(&self.component.id, ROUND.min(self.remaining())).await;
        roles
            .into_iter()
            .filter(MemberRole::leads)
            .map(|member| member.member)
            .collect()
    }
}
