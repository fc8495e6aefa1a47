//! Brings a platform up along its dependency graph: a component starts when what *it* needs has passed its checks,
//! everything else goes on in parallel, and nothing sleeps for a fixed time.

mod degraded;
mod failure;
mod last_words;
mod rolling;
mod staging;
mod timing;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::components::ComponentId;
use crate::explained::explained;
use crate::probe::{CheckKind, CheckResult};
use crate::target::{Action, Plan, RunState, Target};
use crate::topology::Component;
use degraded::{Bearable, Patience, serves};

pub use crate::probe::Prober;
pub use degraded::Degraded;
pub use failure::{Failure, Reason};
pub use last_words::LogExcerpt;
pub use timing::{ComponentTiming, critical_chain};

/// Starts after which a member that keeps ending within one rollout is called a crash loop.
const CRASH_LOOP_RESTARTS: u32 = 3;
/// First pause between two rounds of checks of a component.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Longest pause between two rounds of checks of a component.
const LONGEST_PAUSE: Duration = Duration::from_millis(400);
/// Time that one round of checks may take.
const ROUND: Duration = Duration::from_secs(5);
/// How often the target is asked whether members crash.
const INSPECT_EVERY: Duration = Duration::from_millis(500);

/// What happens during a rollout, for whoever shows it.
#[derive(Debug, Clone)]
pub enum Event {
    /// A component waits for these others.
    Waiting {
        /// Which component.
        component: ComponentId,
        /// What has not passed its checks yet.
        needs: Vec<ComponentId>,
    },
    /// A component's members are being started.
    Starting {
        /// Which component.
        component: ComponentId,
    },
    /// A component that serves is being changed, one member after another.
    Rolling {
        /// Which component.
        component: ComponentId,
        /// The member whose turn it is.
        member: String,
        /// Its number, from 1.
        number: usize,
        /// How many change.
        of: usize,
    },
    /// Some checks of a component still fail.
    Checking {
        /// Which component.
        component: ComponentId,
        /// The failing ones.
        failing: Vec<CheckResult>,
    },
    /// Something was made inside a component, such as a database role.
    Prepared {
        /// Which component.
        component: ComponentId,
        /// What was made.
        changes: Vec<String>,
    },
    /// A component serves, and is not whole: what stands on it goes on.
    Degraded {
        /// Which component.
        component: ComponentId,
        /// The failing checks.
        failing: Vec<CheckResult>,
    },
    /// All checks of a component passed.
    Passed {
        /// Which component.
        component: ComponentId,
        /// Since its start.
        took: Duration,
    },
    /// A component will not come up.
    Failed {
        /// Which component.
        component: ComponentId,
        /// Why, in one line.
        reason: String,
    },
}

/// A platform that is up, and how long that took.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// A timing a component, in the order in which they passed.
    pub timings: Vec<ComponentTiming>,
    /// From the first start to the last passed check.
    pub total: Duration,
    /// What was made inside components.
    pub prepared: Vec<String>,
    /// Components that serve and are not whole.
    pub degraded: Vec<Degraded>,
}

/// Brings all components up, or says why one did not come.
///
/// `plan` says which members change: those of a component that serves change one after another, whoever leads last.
/// `limit` bounds the whole rollout; `cancel` ends it without starting anything new. What was started goes on running,
/// and the next rollout takes it up where this one ended.
///
/// # Errors
/// [`Failure`] names the component, the member, the reason, log lines, and what was skipped.
pub async fn rollout<T: Target, P: Prober>(
    target: &T,
    prober: &P,
    components: &[Component],
    plan: &Plan,
    events: mpsc::UnboundedSender<Event>,
    cancel: CancellationToken,
    limit: Duration,
) -> Result<Outcome, Box<Failure>> {
    let begin = Instant::now();
    let passed: BTreeMap<&ComponentId, watch::Sender<bool>> = components
        .iter()
        .map(|component| (&component.id, watch::channel(false).0))
        .collect();
    let stop = cancel.child_token();
    let one = |component| Ascent {
        target,
        prober,
        component,
        plan,
        passed: &passed,
        events: &events,
        stop: &stop,
        begin,
        limit,
    };
    let mut running: FuturesUnordered<_> = components.iter().map(|component| one(component).bring_up()).collect();

    let mut timings = Vec::new();
    let mut prepared = Vec::new();
    let mut degraded = Vec::new();
    let mut failures = Vec::new();
    while let Some(result) = running.next().await {
        match result {
            Ok(risen) => {
                timings.push(risen.timing);
                prepared.extend(risen.changes);
                degraded.extend(risen.degraded);
            }
            Err(stopped) => {
                if let Reason::Skipped = stopped.reason {
                    failures.push(stopped);
                    continue;
                }
                let _ = events.send(Event::Failed {
                    component: stopped.component.clone(),
                    reason: stopped.reason.to_string(),
                });
                failures.push(stopped);
                stop.cancel();
            }
        }
    }
    if failures.is_empty() {
        let explained = degraded
            .into_iter()
            .map(|(component, member, failing)| degraded::explained(target, component, member, failing));
        let degraded = futures::future::join_all(explained).await;
        return Ok(Outcome {
            degraded,
            timings,
            total: begin.elapsed(),
            prepared,
        });
    }
    Err(Box::new(
        failure::conclude(target, failures, cancel.is_cancelled()).await,
    ))
}

/// One component on its way up.
struct Ascent<'a, T, P> {
    target: &'a T,
    prober: &'a P,
    component: &'a Component,
    plan: &'a Plan,
    passed: &'a BTreeMap<&'a ComponentId, watch::Sender<bool>>,
    events: &'a mpsc::UnboundedSender<Event>,
    stop: &'a CancellationToken,
    begin: Instant,
    limit: Duration,
}

/// A component that came up, and what was made in it.
struct Risen {
    timing: ComponentTiming,
    changes: Vec<String>,
    degraded: Option<Lost>,
}

/// A component that is not whole, the member to blame, where it is known, and the failing checks.
type Lost = (ComponentId, Option<String>, Vec<CheckResult>);

/// A component that did not come up, before log lines are gathered.
struct Stopped {
    component: ComponentId,
    member: Option<String>,
    reason: Reason,
    failing: Vec<CheckResult>,
}

impl<T: Target, P: Prober> Ascent<'_, T, P> {
    async fn bring_up(self) -> Result<Risen, Stopped> {
        let ahead = self.may_start_ahead();
        if !ahead {
            self.wait_for_needs().await?;
        }
        let mut started = self.begin.elapsed();
        self.tell(Event::Starting { component: self.name() });
        let mut before = self.restarts().await;
        let staged = self.stage().await?;
        let failed_before = self.roll(&before).await?;
        if let Err(error) = self.target.apply(&self.component.id).await {
            return Err(self.refused(&error));
        }
        if ahead {
            self.wait_for_needs().await?;
            started = self.begin.elapsed();
            before = forgiven(&before, self.restarts().await);
        }
        let bearable = match self.has(Action::Change) {
            true => Bearable::Only(failed_before),
            false => Bearable::All,
        };
        let (made, degraded) = self.prove(&before, &BTreeSet::new(), Some(&bearable)).await?;
        let mut changes = staged;
        changes.extend(made);
        let finished = self.begin.elapsed();
        if let Some(passed) = self.passed.get(&self.component.id) {
            passed.send_replace(true);
        }
        self.tell(match &degraded {
            Some((component, _, failing)) => Event::Degraded {
                component: component.clone(),
                failing: failing.clone(),
            },
            None => Event::Passed {
                component: self.name(),
                took: finished.saturating_sub(started),
            },
        });
        let timing = ComponentTiming {
            name: self.name(),
            needs: self.component.needs.clone(),
            started,
            finished,
        };
        Ok(Risen {
            timing,
            changes,
            degraded,
        })
    }

    /// Whether this is done to any member of the component.
    fn has(&self, action: Action) -> bool {
        let mut steps = self.plan.steps.iter();
        steps.any(|step| step.component == self.component.id && step.action == action)
    }

    /// Whether the component's members may be started before what they need works. What serves already is changed in the
    /// order of the graph: a change that breaks a store must not reach what stands on it.
    fn may_start_ahead(&self) -> bool {
        let mut steps = self
            .plan
            .steps
            .iter()
            .filter(|step| step.component == self.component.id);
        self.target.members_wait() && steps.all(|step| step.action == Action::Create)
    }

    async fn wait_for_needs(&self) -> Result<(), Stopped> {
        let open = |need: &&ComponentId| self.passed.get(*need).is_some_and(|passed| !*passed.borrow());
        let needs: Vec<ComponentId> = self.component.needs.iter().filter(open).cloned().collect();
        if !needs.is_empty() {
            self.tell(Event::Waiting {
                component: self.name(),
                needs: needs.clone(),
            });
        }
        for need in &self.component.needs {
            let Some(passed) = self.passed.get(need) else {
                continue;
            };
            let mut passed = passed.subscribe();
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Err(self.stopped(None, Reason::Skipped, Vec::new())),
                () = tokio::time::sleep(self.remaining()) => return Err(self.stopped(None, Reason::Skipped, Vec::new())),
                result = passed.wait_for(|passed| *passed) => {
                    if result.is_err() {
                        return Err(self.stopped(None, Reason::Skipped, Vec::new()));
                    }
                }
            }
        }
        if self.stop.is_cancelled() {
            return Err(self.stopped(None, Reason::Skipped, Vec::new()));
        }
        Ok(())
    }

    /// Repeats the checks until all pass but those `tolerated`, of which none may be essential; or until what fails has been
    /// `bearable` for long enough. Returns what was made, and what fails.
    async fn prove(
        &self,
        before: &BTreeMap<String, u32>,
        tolerated: &BTreeSet<String>,
        bearable: Option<&Bearable>,
    ) -> Result<(Vec<String>, Option<Lost>), Stopped> {
        let mut patience = bearable.map(|bearable| Patience::new(bearable, self.limit, self.has(Action::Create)));
        let mut changes = None;
        let mut pause = FIRST_PAUSE;
        let mut inspected = Instant::now();
        let mut failing: Vec<CheckResult> = Vec::new();
        loop {
            let limit = ROUND.min(self.remaining());
            if limit.is_zero() && !failing.is_empty() {
                return Err(self.stopped(None, Reason::TimedOut(self.limit), failing));
            }
            let round = async {
                let made = match &changes {
                    Some(_) => None,
                    None => Some(self.prober.prepare(&self.component.id, limit).await?),
                };
                Ok((made, self.prober.check(&self.component.id, limit).await))
            };
            let round: Result<_, String> = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Err(self.stopped(None, Reason::Interrupted, failing)),
                round = round => round,
            };
            let mut is_serving = false;
            let found: Vec<CheckResult> = match round {
                Ok((made, results)) => {
                    if let Some(made) = made {
                        if !made.is_empty() {
                            self.tell(Event::Prepared {
                                component: self.name(),
                                changes: made.clone(),
                            });
                        }
                        changes = Some(made);
                    }
                    is_serving = serves(&results);
                    let fails = |result: &CheckResult| !result.ok && !tolerated.contains(&result.name);
                    results.into_iter().filter(fails).collect()
                }
                Err(error) => vec![CheckResult::of(CheckKind::Prepare, Duration::ZERO, Err(error))],
            };
            // In a round that was cut short a check says no more than that.
            let said = |check: CheckResult| match failing.iter().find(|before| before.name == check.name) {
                Some(before) if limit < ROUND => before.clone(),
                _ => check,
            };
            failing = found.into_iter().map(said).collect();
            if failing.is_empty() {
                return Ok((changes.unwrap_or_default(), None));
            }
            let is_bearable = patience
                .as_mut()
                .is_some_and(|patience| patience.note(is_serving, &failing));
            self.tell(Event::Checking {
                component: self.name(),
                failing: failing.clone(),
            });
            if inspected.elapsed() >= INSPECT_EVERY {
                inspected = Instant::now();
                let hopeless = self.crash_loop(before).await;
                if is_bearable {
                    let is_over = |patience: &Patience<'_>| patience.is_over(hopeless.is_some());
                    if patience.as_ref().is_some_and(is_over) {
                        let member = hopeless.map(|(member, _)| member);
                        return Ok((changes.unwrap_or_default(), Some((self.name(), member, failing))));
                    }
                } else if let Some((member, reason)) = hopeless {
                    return Err(self.stopped(Some(member), reason, failing));
                }
            }
            if self.remaining().is_zero() {
                return Err(self.stopped(None, Reason::TimedOut(self.limit), failing));
            }
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Err(self.stopped(None, Reason::Interrupted, failing)),
                () = tokio::time::sleep(pause.min(self.remaining())) => {}
            }
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        }
    }

    /// A member of this component that cannot heal by waiting.
    async fn crash_loop(&self, before: &BTreeMap<String, u32>) -> Option<(String, Reason)> {
        let members = self.target.inspect().await.ok()?;
        members
            .into_iter()
            .filter(|member| member.component == self.component.id)
            .find_map(|member| {
                let restarts = member
                    .restarts
                    .saturating_sub(before.get(&member.name).copied().unwrap_or(0));
                let failed = member.state == RunState::Failed;
                let hopeless = failed || restarts >= CRASH_LOOP_RESTARTS;
                hopeless.then(|| {
                    let last_exit = member.last_exit.unwrap_or_else(|| "unknown".to_owned());
                    let reason = if failed && restarts == 0 {
                        Reason::CannotStart(last_exit)
                    } else {
                        Reason::CrashLoop { restarts, last_exit }
                    };
                    (member.name, reason)
                })
            })
    }

    async fn restarts(&self) -> BTreeMap<String, u32> {
        let members = self.target.inspect().await.unwrap_or_default();
        members
            .into_iter()
            .map(|member| (member.name, member.restarts))
            .collect()
    }

    fn remaining(&self) -> Duration {
        self.limit.saturating_sub(self.begin.elapsed())
    }

    fn name(&self) -> ComponentId {
        self.component.id.clone()
    }

    fn tell(&self, event: Event) {
        // Nobody listening is no reason to stop a rollout.
        let _ = self.events.send(event);
    }

    fn refused(&self, error: &T::Error) -> Stopped {
        self.stopped(None, Reason::Target(explained(error)), Vec::new())
    }

    fn stopped(&self, member: Option<String>, reason: Reason, failing: Vec<CheckResult>) -> Stopped {
        Stopped {
            component: self.name(),
            member,
            reason,
            failing,
        }
    }
}

/// Restarts from which a crash loop is counted, of members that were started ahead of what they needed. Ends before it was there
/// prove nothing by themselves; but who ended often and does so once more is in a loop.
fn forgiven(applied: &BTreeMap<String, u32>, now: BTreeMap<String, u32>) -> BTreeMap<String, u32> {
    let from = |(member, now): (String, u32)| {
        let applied = applied.get(&member).copied().unwrap_or(0);
        let ahead = now.saturating_sub(applied).min(CRASH_LOOP_RESTARTS - 1);
        (member, now - ahead)
    };
    now.into_iter().map(from).collect()
}

#[cfg(test)]
mod tests;
