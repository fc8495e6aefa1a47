//! A component that has its leader and its quorum, and has lost a member: what stands on it goes on after a bounded wait, so that one
//! broken member does not keep a fix from going out.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::last_words::{LogExcerpt, last_words};
use crate::components::ComponentId;
use crate::probe::{CheckKind, CheckResult};
use crate::target::Target;

/// Time that a component is given when a member of it cannot come up by itself.
const HOPELESS: Duration = Duration::from_secs(10);
/// Time otherwise: it may be on its way back.
const RETURNING: Duration = Duration::from_secs(20);
/// The share of the rollout's limit that is given to new members at least: they may be copying all data.
const NEW_SHARE: u32 = 4;
/// Says how far a target's own replacing of members is: as long as it gets on, nothing has failed.
const ROLLOUT: CheckKind = CheckKind::Rollout;

/// A component that serves, and is not whole.
#[derive(Debug, Clone)]
pub struct Degraded {
    /// Which component.
    pub component: ComponentId,
    /// The member to blame, where one is.
    pub member: Option<String>,
    /// Checks that fail.
    pub failing: Vec<CheckResult>,
    /// That member's last log lines.
    pub logs: Vec<LogExcerpt>,
}

/// Which failing checks of a component that serves may stay.
#[derive(Debug, Clone)]
pub(super) enum Bearable {
    /// Any that is not essential: nothing of the component is changed.
    All,
    /// Those that failed before it was changed.
    Only(BTreeSet<String>),
}

/// For how long a component has been serving without being whole.
pub(super) struct Patience<'a> {
    bearable: &'a Bearable,
    limit: Duration,
    /// Since when, and with which failing checks.
    since: Option<(Instant, Vec<String>)>,
}

impl<'a> Patience<'a> {
    /// `limit` is the whole rollout's; `is_new` whether members are made in it.
    pub(super) fn new(bearable: &'a Bearable, limit: Duration, is_new: bool) -> Self {
        let new = if is_new { limit / NEW_SHARE } else { Duration::ZERO };
        Self {
            bearable,
            limit: RETURNING.max(new),
            since: None,
        }
    }

    /// Takes note of a round, and says whether its failing checks can be borne at all.
    pub(super) fn note(&mut self, serves: bool, failing: &[CheckResult]) -> bool {
        let may_stay = |check: &CheckResult| match self.bearable {
            Bearable::All => true,
            Bearable::Only(names) => names.contains(&check.name) && check.kind != ROLLOUT,
        };
        if !serves || !failing.iter().all(may_stay) {
            self.since = None;
            return false;
        }
        let told = |check: &CheckResult| match check.kind {
            ROLLOUT => format!("{ROLLOUT} {}", check.error.as_deref().unwrap_or_default()),
            _ => check.name.clone(),
        };
        let now: Vec<String> = failing.iter().map(told).collect();
        if self.since.as_ref().is_none_or(|(_, before)| *before != now) {
            self.since = Some((Instant::now(), now));
        }
        true
    }

    /// Whether it has been borne for long enough.
    pub(super) fn is_over(&self, hopeless: bool) -> bool {
        let limit = if hopeless { HOPELESS.min(self.limit) } else { self.limit };
        self.since.as_ref().is_some_and(|(since, _)| since.elapsed() >= limit)
    }
}

/// Whether what a component's users come for works.
pub(super) fn serves(results: &[CheckResult]) -> bool {
    let mut essential = results.iter().filter(|result| result.essential).peekable();
    essential.peek().is_some() && essential.all(|result| result.ok)
}

/// The member that failing checks are about, when it is one.
pub(super) fn blamed(failing: &[CheckResult]) -> Option<&str> {
    let mut members = failing.iter().filter_map(|check| check.member.as_deref());
    let first = members.next()?;
    members.all(|other| other == first).then_some(first)
}

/// With the last words of the member that is to blame.
pub(super) async fn explained<T: Target>(
    target: &T,
    component: ComponentId,
    member: Option<String>,
    failing: Vec<CheckResult>,
) -> Degraded {
    let member = member.or_else(|| blamed(&failing).map(str::to_owned));
    let logs = match &member {
        Some(member) => last_words(target, member).await,
        None => Vec::new(),
    };
    Degraded {
        component,
        member,
        failing,
        logs,
    }
}
