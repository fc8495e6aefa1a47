//! A call of `nova drill`: components and faults in turn, several runs each, with the ledger kept and everything healed
//! whatever happens.

mod choice;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nova_platform::checks::{Checks, MemberRole};
use nova_platform::secrets::Secrets;
use nova_platform::spec::Spec;
use nova_platform::target::{RunState, Target};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::budgets::budgets;
use crate::chance::Chance;
use crate::doors::{self, Door, Site, Store, stores_of};
use crate::error::DrillError;
use crate::fault::Fault;
use crate::health::{complaints, look};
use crate::inflict::{Blow, explained, inflict};
use crate::ledger::{Begin, Entry, Ledger, Line};
use crate::load::{Load, Rate};
use crate::now_ms;
use crate::phases;
use crate::report::{Budget, DrillReport, RunReport, StoreReport};

/// Acknowledgements that each writer must have before the fault, and again after it.
const SETTLED: u64 = 10;
/// Time within which writers must get going on a healthy platform.
const WARM_UP: Duration = Duration::from_secs(20);
/// The fault begins after this, or up to [`LATEST`] after the writers got going.
const EARLIEST: Duration = Duration::from_millis(1500);
const LATEST: Duration = Duration::from_millis(3000);
/// Time within which everything must be whole again.
const WHOLE_AGAIN: Duration = Duration::from_secs(120);
/// Time within which writers must be acknowledged again.
const WRITE_AGAIN: Duration = Duration::from_secs(120);
/// Writing goes on for this long on the healed platform.
const AFTERWARDS: Duration = Duration::from_secs(1);
/// Limit of one look at the platform's health, and the pause before the next.
const LOOK: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Looks at a platform before it counts as unhealthy: one check may fail now and then on a busy machine.
const FIRST_LOOKS: u32 = 3;

/// A component and what is done to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// A component's name, or `node`.
    pub component: String,
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

/// The doors of the drill that is under way, and the run that writes through them.
type Opened = Mutex<(u32, Vec<Arc<dyn Door>>)>;

/// A platform to drill.
pub struct Campaign<'a, T: Target> {
    /// Where it runs.
    pub target: &'a T,
    /// What it is.
    pub spec: &'a Spec,
    /// Its passwords.
    pub secrets: &'a Secrets,
    /// Its checks.
    pub checks: &'a Checks,
    /// Where everything is written down.
    pub ledger: &'a Ledger,
    /// How.
    pub settings: &'a Settings,
    /// What must be healthy before and after it; everything when nothing is named.
    pub scope: &'a [String],
    /// Ends it, after healing.
    pub cancel: &'a CancellationToken,
    /// Told of everything that happens.
    pub events: &'a (dyn Fn(Event) + Sync),
}

impl<T: Target> Campaign<'_, T> {
    /// Carries out the plans. Reports those that came to their end, and why the next one did not.
    pub async fn run(&self, plans: &[Plan]) -> (Vec<DrillReport>, Result<(), DrillError>) {
        let mut reports = Vec::new();
        let opened = Opened::default();
        let broken = self.ledger.broken();
        let result = tokio::select! {
            result = self.all(plans, &mut reports, &opened) => result,
            () = self.cancel.cancelled() => Err(DrillError::Interrupted),
            () = broken.cancelled() => Err(DrillError::Failed("the ledger broke".to_owned())),
        };
        let result = match (self.ledger.check(), result) {
            (Err(error), _) => Err(DrillError::Failed(error.to_string())),
            (Ok(()), result) => result,
        };
        // An unhealthy platform that was refused was not broken by this drill.
        if let Err(error) = &result
            && !matches!(error, DrillError::Unhealthy(_) | DrillError::Usage(_))
        {
            (self.events)(Event::Healing);
            if let Err(error) = self.heal(&opened).await {
                return (reports, Err(DrillError::Failed(error)));
            }
        }
        (reports, result)
    }

    async fn all(&self, plans: &[Plan], reports: &mut Vec<DrillReport>, opened: &Opened) -> Result<(), DrillError> {
        let healed = self
            .target
            .heal()
            .await
            .map_err(|error| DrillError::Failed(explained(&error)))?;
        if healed.is_empty() {
            self.require_health().await?;
        } else {
            (self.events)(Event::Healed(healed));
            self.whole(self.scope, &BTreeMap::new(), None)
                .await
                .map_err(DrillError::Unhealthy)?;
        }
        let mut run = 0;
        for plan in plans {
            (self.events)(Event::Drill(plan.clone()));
            self.drill(plan, &mut run, reports, opened).await?;
        }
        Ok(())
    }

    async fn require_health(&self) -> Result<(), DrillError> {
        let mut found = Vec::new();
        for _ in 0..FIRST_LOOKS {
            let components = look(self.target, self.checks, self.spec, self.scope, LOOK).await;
            found = complaints(&components.map_err(|error| DrillError::Failed(explained(&error)))?);
            if found.is_empty() {
                return Ok(());
            }
            sleep(LOOK_EVERY).await;
        }
        Err(DrillError::Unhealthy(found.join(", ")))
    }

    async fn drill(
        &self,
        plan: &Plan,
        run: &mut u32,
        reports: &mut Vec<DrillReport>,
        opened: &Opened,
    ) -> Result<(), DrillError> {
        let endpoints = self.target.endpoints();
        let site = Site {
            spec: self.spec,
            endpoints: &endpoints,
            secrets: self.secrets,
        };
        let open = |store: Store| doors::open(store, &plan.component, &site);
        let doors: Result<Vec<Arc<dyn Door>>, String> = stores_of(&plan.component).into_iter().map(open).collect();
        let doors = doors.map_err(DrillError::Failed)?;
        let budgets = budgets(self.spec, &plan.component, plan.fault);
        let mut runs = Vec::new();
        let mut result = Ok(());
        for number in 1..=self.settings.runs {
            *run += 1;
            note(opened, *run, doors.clone());
            let (report, ended) = self.one(plan, number, *run, &doors, &site, &budgets).await;
            runs.extend(report);
            if ended.is_err() {
                result = ended;
                break;
            }
        }
        if !runs.is_empty() {
            reports.push(DrillReport::of(&plan.component, plan.fault, runs, &budgets));
        }
        if result.is_ok() {
            note(opened, *run, Vec::new());
            self.leave(&doors).await;
        }
        result
    }

    async fn leave(&self, doors: &[Arc<dyn Door>]) {
        for door in doors {
            if let Err(error) = door.leave().await {
                (self.events)(Event::Warning(format!("something of the drill stays: {error}")));
            }
        }
    }

    /// One run: its report, when it came to be judged, and whether the next one may follow.
    async fn one(
        &self,
        plan: &Plan,
        number: u32,
        run: u32,
        doors: &[Arc<dyn Door>],
        site: &Site<'_>,
        budgets: &[Budget],
    ) -> (Option<RunReport>, Result<(), DrillError>) {
        match self.try_one(plan, number, run, doors, site, budgets).await {
            Ok((report, ended)) => (Some(report), ended),
            Err(error) => (None, Err(error)),
        }
    }

    async fn try_one(
        &self,
        plan: &Plan,
        number: u32,
        run: u32,
        doors: &[Arc<dyn Door>],
        site: &Site<'_>,
        budgets: &[Budget],
    ) -> Result<(RunReport, Result<(), DrillError>), DrillError> {
        let failed = DrillError::Failed;
        let mut chance = Chance::of_run(self.settings.seed, &plan.component, plan.fault.name(), number);
        for door in doors {
            door.prepare(run).await.map_err(failed)?;
        }
        let rate = Rate {
            writers: self.settings.writers,
            per_second: self.settings.rate,
        };
        let load = Load::start(run, doors, rate, self.ledger).map_err(failed)?;
        load.progress(SETTLED, WARM_UP).await.map_err(failed)?;
        sleep(chance.time(EARLIEST, LATEST)).await;
        let blow = Blow {
            fault: plan.fault,
            component: plan.component.clone(),
            members: self.choose(plan, &mut chance).await?,
            lasts: self.settings.lasts,
        };
        let touched = self.touched(&blow);
        let before = self.starts().await.map_err(failed)?;

        let at = now_ms();
        (self.events)(Event::Fault {
            run,
            fault: plan.fault,
            members: blow.members.clone(),
        });
        self.ledger.append(Line::Begin {
            begin: Begin {
                run,
                component: plan.component.clone(),
                fault: plan.fault,
                members: blow.members.clone(),
                at,
                budgets: budgets.to_vec(),
            },
        });
        // Whoever judges a drill that was killed must know whom it had hit.
        self.flush().await?;
        let nobody = BTreeMap::new();
        let whole = || self.whole(&touched, &nobody, None);
        inflict(self.target, &blow, site, whole).await.map_err(failed)?;
        let healed = Instant::now();
        let killed = match plan.fault {
            Fault::Kill | Fault::Cold => before
                .into_iter()
                .filter(|(member, _)| blow.members.contains(member))
                .collect(),
            _ => BTreeMap::new(),
        };
        let demoted = match plan.fault {
            // A broker gives up partitions, and may go on as the leading controller.
            Fault::Switchover if plan.component != "kafka" => blow.members.first().map(String::as_str),
            _ => None,
        };
        let (rejoined, written) = tokio::join!(
            async { self.whole(&touched, &killed, demoted).await.map(|()| healed.elapsed()) },
            load.progress(SETTLED, WRITE_AGAIN),
        );
        sleep(AFTERWARDS).await;
        let entries = load.end().await.map_err(failed)?;
        let report = self
            .judge(run, &blow, at, rejoined.as_ref().ok().copied(), doors, &entries)
            .await?;
        (self.events)(Event::Run(Box::new(report.clone())));
        let ended = match (rejoined, written) {
            (Err(error), _) => Err(format!("run {run} did not become whole again: {error}")),
            (Ok(_), Err(error)) => Err(format!("run {run}: {error}")),
            (Ok(_), Ok(())) => Ok(()),
        };
        Ok((report, ended.map_err(DrillError::NotRecovered)))
    }

    async fn judge(
        &self,
        run: u32,
        blow: &Blow,
        at: u64,
        rejoined: Option<Duration>,
        doors: &[Arc<dyn Door>],
        entries: &[Entry],
    ) -> Result<RunReport, DrillError> {
        let writers = self.settings.writers;
        let mut stores = Vec::new();
        for door in doors {
            let found = door.found(run, writers).await.map_err(DrillError::Failed)?;
            let of_store: Vec<&Entry> = entries.iter().filter(|entry| entry.store == door.store()).collect();
            stores.push(StoreReport {
                phases: phases::of_run(self.target, self.spec, blow.fault, door.store(), &of_store, at).await,
                ..StoreReport::of(door.store(), &of_store, found.as_ref(), at)
            });
            if let Err(error) = door.remove(run, writers).await {
                (self.events)(Event::Warning(format!("something of the drill stays: {error}")));
            }
        }
        let rejoined_ms = rejoined.and_then(|took| u64::try_from(took.as_millis()).ok());
        let report = RunReport::of(run, blow.members.clone(), rejoined_ms, stores);
        self.ledger.append(Line::Judged {
            judged: Box::new(report.clone()),
        });
        self.flush().await?;
        Ok(report)
    }

    async fn flush(&self) -> Result<(), DrillError> {
        let ledger = self.ledger.clone();
        let flushed = tokio::task::spawn_blocking(move || ledger.flush()).await;
        flushed
            .map_err(|error| DrillError::Failed(error.to_string()))?
            .map_err(|error| DrillError::Failed(error.to_string()))
    }

    /// When each member's process started.
    async fn starts(&self) -> Result<BTreeMap<String, Option<u64>>, String> {
        let members = self.target.inspect().await.map_err(|error| explained(&error))?;
        Ok(members
            .into_iter()
            .map(|member| (member.name, member.started_at_ms))
            .collect())
    }

    /// Waits until these components (all when none is named) are healthy, these members run in a process started
    /// since, and somebody else leads than the one that was to step down.
    async fn whole(
        &self,
        of: &[String],
        killed: &BTreeMap<String, Option<u64>>,
        demoted: Option<&str>,
    ) -> Result<(), String> {
        let mut last = String::new();
        let wait = async {
            loop {
                last = match self.amiss(of, killed, demoted).await {
                    Ok(None) => return,
                    Ok(Some(why)) => why,
                    Err(error) => error,
                };
                sleep(LOOK_EVERY).await;
            }
        };
        if timeout(WHOLE_AGAIN, wait).await.is_ok() {
            return Ok(());
        }
        Err(format!("after {} s still: {last}", WHOLE_AGAIN.as_secs()))
    }

    async fn amiss(
        &self,
        of: &[String],
        killed: &BTreeMap<String, Option<u64>>,
        demoted: Option<&str>,
    ) -> Result<Option<String>, String> {
        let members = self.target.inspect().await.map_err(|error| explained(&error))?;
        if let Some(demoted) = demoted {
            let roles = self.checks.roles(of.first().map_or("", String::as_str), LOOK).await;
            if roles.iter().any(|role| role.member == *demoted && role.leads()) || !roles.iter().any(MemberRole::leads)
            {
                return Ok(Some(format!("no other member leads instead of {demoted}")));
            }
        }
        let still_old = members.iter().find(|member| {
            let before = killed.get(&member.name);
            before.is_some_and(|before| member.state != RunState::Running || member.started_at_ms == *before)
        });
        if let Some(member) = still_old {
            return Ok(Some(format!("{} was not started again", member.name)));
        }
        let components = look(self.target, self.checks, self.spec, of, LOOK).await;
        let found = complaints(&components.map_err(|error| explained(&error))?);
        Ok((!found.is_empty()).then(|| found.join(", ")))
    }

    async fn heal(&self, opened: &Opened) -> Result<(), String> {
        self.target.heal().await.map_err(|error| {
            format!(
                "what was broken could not be healed: {}; `nova deploy` does it",
                explained(&error)
            )
        })?;
        let whole = self.whole(self.scope, &BTreeMap::new(), None).await;
        let (run, doors) = std::mem::take(&mut *opened.lock().unwrap_or_else(PoisonError::into_inner));
        for door in &doors {
            // Nothing of it does harm, so that a failure is told and no more.
            if let Err(error) = door.remove(run, self.settings.writers).await {
                (self.events)(Event::Warning(format!("something of the drill stays: {error}")));
            }
        }
        self.leave(&doors).await;
        whole.map_err(|error| format!("what was broken did not heal: {error}; `nova deploy` may"))
    }
}

fn note(opened: &Opened, run: u32, doors: Vec<Arc<dyn Door>>) {
    *opened.lock().unwrap_or_else(PoisonError::into_inner) = (run, doors);
}
