//! A call of `nova drill`: components and faults in turn, several runs each, with the ledger kept and everything healed
//! whatever happens.

mod behind;
mod choice;

use std::collections::BTreeMap;
use std::time::Duration;

use nova_platform::checks::MemberRole;
use nova_platform::components::ComponentId;
use nova_platform::rollout::Prober;
use nova_platform::spec::Spec;
use nova_platform::target::{MemberStatus, RunState, Target};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::aim::Aim;
use crate::budgets::budgets;
use crate::chance::Chance;
use crate::clients::{Clients, Outcomes, Request};
use crate::doors::stores_of;
use crate::error::{Amiss, DrillError, NotWhole, Unhealthy};
use crate::fault::Fault;
use crate::health::{complaints, look};
use crate::inflict::{Blow, inflict};
use crate::ledger::Ledger;
use crate::now_ms;
use crate::phases;
use crate::record::{Begin, Budget, Entry, Line, RunReport};
use crate::report::DrillReport;

/// The fault begins after this, or up to [`LATEST`] after the writers got going.
const EARLIEST: Duration = Duration::from_millis(1500);
const LATEST: Duration = Duration::from_millis(3000);
/// Time within which everything must be whole again.
const WHOLE_AGAIN: Duration = Duration::from_secs(120);
/// Writing goes on for this long on the healed platform.
const AFTERWARDS: Duration = Duration::from_secs(1);
/// Limit of one look at the platform's health, and the pause before the next: a look is work, on a machine that fails over meanwhile.
const LOOK: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Nobody looks before the clients are served again, or this has passed.
const UNDISTURBED: Duration = Duration::from_secs(2);
/// Looks at a platform before it counts as unhealthy: one check may fail now and then on a busy machine.
const FIRST_LOOKS: u32 = 3;

/// When each member's process started, as far as that is known.
type Starts = BTreeMap<String, Option<u64>>;

/// A component and what is done to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What it is done to.
    pub component: Aim,
    /// What is done.
    pub fault: Fault,
    /// To whom, instead of the leader.
    pub member: Option<String>,
}

/// How it is done.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Runs of each plan.
    pub runs: u32,
    /// What choices follow from.
    pub seed: u64,
    /// Clients a store.
    pub writers: u16,
    /// Operations a second a store; the stores' defaults for `None`.
    pub rate: Option<u32>,
    /// How long a member is frozen, a node away or cut off.
    pub lasts: Duration,
    /// For a negative control: a leader that is killed is lost when its replicas were frozen for this long, and stays away until
    /// another one leads.
    pub behind: Option<Duration>,
}

/// What happens, for whoever shows it.
#[derive(Debug, Clone)]
pub enum Event {
    /// Something that an earlier drill left was healed.
    Healed(Vec<String>),
    /// A drill begins.
    Drill(Plan),
    /// A fault begins.
    Fault {
        /// Which run.
        run: u32,
        /// Which fault.
        fault: Fault,
        /// To whom.
        members: Vec<String>,
    },
    /// A run was judged.
    Run(Box<RunReport>),
    /// Something could not be tidied up.
    Warning(String),
    /// The drill was interrupted and heals.
    Healing,
}

/// A platform to drill.
pub struct Campaign<'a, T: Target, P: Prober> {
    /// Where it runs.
    pub target: &'a T,
    /// What it is.
    pub spec: &'a Spec,
    /// What looks whether it works.
    pub prober: &'a P,
    /// Who writes meanwhile.
    pub clients: &'a dyn Clients,
    /// Where everything is written down.
    pub ledger: &'a Ledger,
    /// How.
    pub settings: &'a Settings,
    /// What must be healthy before and after it; everything when nothing is named.
    pub scope: &'a [ComponentId],
    /// Ends it, after healing.
    pub cancel: &'a CancellationToken,
    /// Told of everything that happens.
    pub events: &'a (dyn Fn(Event) + Sync),
}

impl<T: Target, P: Prober> Campaign<'_, T, P> {
    /// Carries out the plans. Reports those that came to their end, and why the next one did not.
    pub async fn run(&self, plans: &[Plan]) -> (Vec<DrillReport>, Result<(), DrillError>) {
        let mut reports = Vec::new();
        let broken = self.ledger.broken();
        let result = tokio::select! {
            result = self.all(plans, &mut reports) => result,
            () = self.cancel.cancelled() => Err(DrillError::Interrupted),
            () = broken.cancelled() => Ok(()),
        };
        let result = match (self.ledger.check(), result) {
            (Err(error), _) => Err(error.into()),
            (Ok(()), result) => result,
        };
        // An unhealthy platform that was refused was not broken by this drill.
        if let Err(error) = &result
            && !matches!(error, DrillError::Unhealthy(_) | DrillError::Usage(_))
        {
            (self.events)(Event::Healing);
            if let Err(error) = self.heal().await {
                return (reports, Err(error));
            }
        }
        (reports, result)
    }

    async fn all(&self, plans: &[Plan], reports: &mut Vec<DrillReport>) -> Result<(), DrillError> {
        let healed = self.target.heal().await;
        let healed = healed.map_err(|error| DrillError::Target(Box::new(error)))?;
        if healed.is_empty() {
            self.require_health().await?;
        } else {
            (self.events)(Event::Healed(healed));
            self.whole(self.scope, &Starts::new(), None)
                .await
                .map_err(|why| DrillError::Unhealthy(Unhealthy::NotWhole(why)))?;
        }
        let mut run = 0;
        for plan in plans {
            (self.events)(Event::Drill(plan.clone()));
            self.drill(plan, &mut run, reports).await?;
        }
        Ok(())
    }

    async fn require_health(&self) -> Result<(), DrillError> {
        let mut found = Vec::new();
        for _ in 0..FIRST_LOOKS {
            let components = look(self.target, self.prober, self.spec, self.scope, LOOK).await;
            found = complaints(&components.map_err(|error| DrillError::Target(Box::new(error)))?);
            if found.is_empty() {
                return Ok(());
            }
            sleep(LOOK_EVERY).await;
        }
        Err(DrillError::Unhealthy(Unhealthy::Complaints(found)))
    }

    async fn drill(&self, plan: &Plan, run: &mut u32, reports: &mut Vec<DrillReport>) -> Result<(), DrillError> {
        let budgets = budgets(self.spec, &plan.component, plan.fault);
        let mut runs = Vec::new();
        let mut result = Ok(());
        for number in 1..=self.settings.runs {
            *run += 1;
            match self.one(plan, number, *run, &budgets).await {
                Ok((report, ended)) => {
                    runs.push(report);
                    result = ended;
                }
                Err(error) => result = Err(error),
            }
            if result.is_err() {
                break;
            }
        }
        if !runs.is_empty() {
            reports.push(DrillReport::of(&plan.component, plan.fault, runs, &budgets));
        }
        result
    }

    /// One run: its report, and whether the next one may follow.
    async fn one(
        &self,
        plan: &Plan,
        number: u32,
        run: u32,
        budgets: &[Budget],
    ) -> Result<(RunReport, Result<(), DrillError>), DrillError> {
        let mut chance = Chance::of_run(self.settings.seed, plan.component.as_str(), plan.fault.name(), number);
        let request = Request {
            run,
            stores: stores_of(&plan.component, plan.fault),
            service: self.asked(plan),
            writers: self.settings.writers,
            rate: self.settings.rate,
        };
        let mut clients = self.clients.start(request).await?;
        sleep(chance.time(EARLIEST, LATEST)).await;
        let blow = Blow {
            fault: plan.fault,
            component: plan.component.clone(),
            members: self.choose(plan, number, &mut chance).await?,
            lasts: self.settings.lasts,
        };
        let touched = self.touched(&blow);
        let before = self.starts().await?;

        (self.events)(Event::Fault {
            run,
            fault: plan.fault,
            members: blow.members.clone(),
        });
        let begin = Begin {
            run,
            component: plan.component.clone(),
            fault: plan.fault,
            members: blow.members.clone(),
            at: now_ms(),
            budgets: budgets.to_vec(),
        };
        let at = clients.begin(begin).await?;
        let started_anew = |members: &[String]| -> Starts {
            let of = before.iter().filter(|(member, _)| members.contains(member));
            of.map(|(member, start)| (member.clone(), *start)).collect()
        };
        let whole = async |ended: &[String]| {
            let whole = self.whole(&touched, &started_anew(ended), None).await;
            whole.map_err(DrillError::NotWhole)
        };
        match self.settings.behind {
            Some(behind) => self.strike_while_behind(&blow, behind, clients.as_mut()).await,
            None => inflict(self.target, &blow, clients.as_mut(), whole).await,
        }?;
        let healed = Instant::now();
        let killed = match plan.fault {
            Fault::Kill | Fault::Cold | Fault::Rolling | Fault::Drain => started_anew(&blow.members),
            _ => Starts::new(),
        };
        let demoted = match plan.fault {
            // A broker gives up partitions, and may go on as the leading controller.
            Fault::Switchover if !plan.component.is(&ComponentId::Kafka) => blow.members.first().map(String::as_str),
            _ => None,
        };
        let served = CancellationToken::new();
        let (rejoined, written) = tokio::join!(
            async {
                let _ = timeout(UNDISTURBED, served.cancelled()).await;
                self.whole(&touched, &killed, demoted).await.map(|()| healed.elapsed())
            },
            async {
                let written = clients.again().await;
                served.cancel();
                written
            },
        );
        sleep(AFTERWARDS).await;
        let outcomes = clients.end().await?;
        let report = self.report(run, &blow, at, &rejoined, outcomes).await?;
        (self.events)(Event::Run(Box::new(report.clone())));
        let ended = match (rejoined, written) {
            (Err(why), _) => Err(DrillError::NotRecovered { run, why }),
            (Ok(_), Err(why)) => Err(DrillError::NotServed { run, why }),
            (Ok(_), Ok(())) => Ok(()),
        };
        Ok((report, ended))
    }

    async fn report(
        &self,
        run: u32,
        blow: &Blow,
        at: u64,
        rejoined: &Result<Duration, NotWhole>,
        outcomes: Outcomes,
    ) -> Result<RunReport, DrillError> {
        self.warn(outcomes.stays);
        let mut stores = outcomes.stores;
        for report in &mut stores {
            let of_store = outcomes.entries.iter().filter(|entry| entry.store == report.store);
            let of_store: Vec<&Entry> = of_store.collect();
            report.phases = phases::of_run(self.target, self.spec, blow.fault, report.store, &of_store, at).await;
        }
        let rejoined_ms = rejoined
            .as_ref()
            .ok()
            .and_then(|took| u64::try_from(took.as_millis()).ok());
        let report = RunReport {
            not_whole: rejoined.as_ref().err().map(ToString::to_string),
            ..RunReport::of(run, blow.members.clone(), rejoined_ms, stores)
        };
        self.ledger.append(Line::Judged {
            judged: Box::new(report.clone()),
        });
        let ledger = self.ledger.clone();
        let flushed = tokio::task::spawn_blocking(move || ledger.flush()).await;
        flushed.map_err(DrillError::Flush)??;
        Ok(report)
    }

    fn warn(&self, stays: Vec<String>) {
        for error in stays {
            (self.events)(Event::Warning(format!("something of the drill stays: {error}")));
        }
    }

    /// Every member as the target sees it.
    async fn inspect(&self) -> Result<Vec<MemberStatus>, DrillError> {
        let members = self.target.inspect().await;
        members.map_err(|error| DrillError::Target(Box::new(error)))
    }

    /// When each member's process started.
    async fn starts(&self) -> Result<Starts, DrillError> {
        let members = self.inspect().await?;
        Ok(members
            .into_iter()
            .map(|member| (member.name, member.started_at_ms))
            .collect())
    }

    /// Waits until these components (all when none is named) are healthy, these members run in a process started
    /// since, and somebody else leads than the one that was to step down.
    async fn whole(&self, of: &[ComponentId], killed: &Starts, demoted: Option<&str>) -> Result<(), NotWhole> {
        let mut amiss = Amiss::Unknown;
        let wait = async {
            loop {
                amiss = match self.amiss(of, killed, demoted).await {
                    None => return,
                    Some(amiss) => amiss,
                };
                sleep(LOOK_EVERY).await;
            }
        };
        if timeout(WHOLE_AGAIN, wait).await.is_ok() {
            return Ok(());
        }
        Err(NotWhole {
            within: WHOLE_AGAIN,
            amiss,
        })
    }

    async fn amiss(&self, of: &[ComponentId], killed: &Starts, demoted: Option<&str>) -> Option<Amiss> {
        if let Some(demoted) = demoted {
            let roles = match of.first() {
                Some(component) => self.prober.roles(component, LOOK).await,
                None => Vec::new(),
            };
            if roles.iter().any(|role| role.member == *demoted && role.leads()) || !roles.iter().any(MemberRole::leads)
            {
                return Some(Amiss::NoOtherLeader(demoted.to_owned()));
            }
        }
        if !killed.is_empty() {
            let members = match self.target.inspect().await {
                Ok(members) => members,
                Err(error) => return Some(Amiss::Unseen(Box::new(error))),
            };
            let still_old = members.iter().find(|member| {
                let before = killed.get(&member.name);
                before.is_some_and(|before| member.state != RunState::Running || member.started_at_ms == *before)
            });
            if let Some(member) = still_old {
                return Some(Amiss::NotStartedAgain(member.name.clone()));
            }
        }
        match look(self.target, self.prober, self.spec, of, LOOK).await {
            Ok(components) => {
                let found = complaints(&components);
                (!found.is_empty()).then_some(Amiss::Complaints(found))
            }
            Err(error) => Some(Amiss::Unseen(Box::new(error))),
        }
    }

    async fn heal(&self) -> Result<(), DrillError> {
        let healed = self.target.heal().await;
        healed.map_err(|error| DrillError::NotHealed(Box::new(error)))?;
        let whole = self.whole(self.scope, &Starts::new(), None).await;
        self.warn(self.clients.tidy().await);
        whole.map_err(DrillError::NotWholeAfterHealing)
    }
}
