//! Why a rollout ended without a platform, with all that a person needs to act: the failure block.

use std::fmt;
use std::time::Duration;

use super::Stopped;
use super::degraded::blamed;
use super::last_words::{LogExcerpt, last_words};
use crate::components::ComponentId;
use crate::probe::CheckResult;
use crate::target::{MemberStatus, RunState, Target};

/// Members whose logs are shown when no single one is to blame.
const LOGGED_MEMBERS: usize = 3;

/// What kept a component from coming up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The target could not start it; its own words.
    Target(String),
    /// A member cannot start, and waiting does not change that; why, in the target's words.
    CannotStart(String),
    /// A member keeps ending.
    CrashLoop {
        /// Starts after the first within this rollout.
        restarts: u32,
        /// How it last ended.
        last_exit: String,
    },
    /// Its checks did not pass within the rollout's limit.
    TimedOut(Duration),
    /// The rollout was ended while its checks were running.
    Interrupted,
    /// It was never started, because of something else.
    Skipped,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Target(error) => f.write_str(error),
            Self::CannotStart(why) => write!(f, "it cannot start: {why}"),
            Self::CrashLoop { restarts, last_exit } => {
                write!(f, "it keeps ending: {restarts} restarts, the last end was {last_exit}")
            }
            Self::TimedOut(limit) => write!(
                f,
                "its checks did not pass within {}",
                humantime::format_duration(*limit)
            ),
            Self::Interrupted => f.write_str("interrupted while its checks were running"),
            Self::Skipped => f.write_str("not started"),
        }
    }
}

/// A rollout that ended without a platform.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The component to look at first.
    pub component: ComponentId,
    /// The member to blame, where one is.
    pub member: Option<String>,
    /// Why.
    pub reason: Reason,
    /// Checks that were failing, with their last errors, over all components that were on their way.
    pub failing: Vec<(ComponentId, CheckResult)>,
    /// Members of the component that do not run, how they last ended, and what the target reported of it.
    pub events: Vec<String>,
    /// Log lines of the members concerned.
    pub logs: Vec<LogExcerpt>,
    /// Components that were not started, or not waited for.
    pub skipped: Vec<ComponentId>,
    /// Whether the user ended the rollout.
    pub interrupted: bool,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {}",
            self.member.as_deref().unwrap_or(self.component.as_str()),
            self.reason
        )
    }
}

impl std::error::Error for Failure {}

/// Picks the failure to show first and gathers what explains it.
pub(super) async fn conclude<T: Target>(target: &T, mut stopped: Vec<Stopped>, interrupted: bool) -> Failure {
    let skipped = stopped
        .iter()
        .filter(|one| one.reason == Reason::Skipped)
        .map(|one| one.component.clone())
        .collect();
    let rank = |one: &Stopped| match one.reason {
        Reason::Target(_) => 0,
        Reason::CannotStart(_) => 1,
        Reason::CrashLoop { .. } => 2,
        Reason::TimedOut(_) => 3,
        Reason::Interrupted => 4,
        Reason::Skipped => 5,
    };
    stopped.sort_by_key(rank);
    let failing = stopped
        .iter()
        .flat_map(|one| one.failing.iter().map(|check| (one.component.clone(), check.clone())))
        .collect();
    let first = stopped.swap_remove(0);
    let members = target.inspect().await.unwrap_or_default();
    let concerned: Vec<_> = members
        .iter()
        .filter(|member| member.component == first.component)
        .collect();
    let mut events: Vec<String> = concerned
        .iter()
        .filter(|member| member.state != RunState::Running || member.restarts > 0)
        .map(|member| {
            let exit = member
                .last_exit
                .as_deref()
                .map(|exit| format!(", last end: {exit}"))
                .unwrap_or_default();
            format!(
                "{}: {:?}, {} restarts{exit}",
                member.name, member.state, member.restarts
            )
            .to_lowercase()
        })
        .collect();
    events.extend(target.events(&first.component).await);
    let concerning: Vec<String> = match &first.member {
        Some(member) => vec![member.clone()],
        None => {
            let is_ill = |member: &&MemberStatus| member.state != RunState::Running || member.restarts > 0;
            let (ill, well): (Vec<&MemberStatus>, Vec<&MemberStatus>) = concerned.iter().copied().partition(is_ill);
            match blamed(&first.failing) {
                Some(member) => vec![member.to_owned()],
                None => ill
                    .into_iter()
                    .chain(well)
                    .take(LOGGED_MEMBERS)
                    .map(|member| member.name.clone())
                    .collect(),
            }
        }
    };
    let mut logs = Vec::new();
    for member in concerning.iter().filter(|_| !interrupted) {
        logs.extend(last_words(target, member).await);
    }
    Failure {
        component: first.component,
        member: first.member,
        reason: first.reason,
        failing,
        events,
        logs,
        skipped,
        interrupted,
    }
}
