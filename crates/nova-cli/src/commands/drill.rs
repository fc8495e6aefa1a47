//! `nova drill`: which faults, how, and the report of what they cost.

mod control;
mod in_cluster;
mod members;
mod page;
mod self_test;
mod watch;

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use nova_drill::aim::Aim;
use nova_drill::campaign::{Campaign, Event, Plan, Settings};
use nova_drill::circumstances::Circumstances;
use nova_drill::clients::{Clients, Here};
use nova_drill::doors::Site;
use nova_drill::error::{DrillError, Unhealthy, UsageError};
use nova_drill::fault::Fault;
use nova_drill::ledger::{self, Ledger};
use nova_drill::record::Header;
use nova_drill::report::{CampaignReport, DrillReport, Verdict};
use nova_kubernetes::agent::ClusterProber;
use nova_platform::components::ComponentId;
use nova_platform::explained::explained;
use nova_platform::rollout::Prober;
use nova_platform::secrets::Secrets;
use nova_platform::suggestion::closest;
use nova_platform::target::Target;
use nova_platform::topology::components;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use self::in_cluster::InCluster;
use self::members::Known;
use self::page::Page;
use super::Session;
use super::deploy::may_touch;
use super::place::Place;
use crate::cli::{Drill, DrillAction, Format, TargetKind};
use crate::exit::Exit;
use crate::output::{Output, RED, YELLOW, drill_text, fault_line, run_text};

pub(super) async fn run(session: &Session, args: &Drill) -> anyhow::Result<Exit> {
    match &args.action {
        Some(DrillAction::Report { ledger, html }) => report_of(session, ledger, html.as_deref()),
        Some(DrillAction::SelfTest(args)) => self_test::run(session, args).await,
        Some(DrillAction::Watch(args)) => watch::run(session, args).await,
        None => drill(session, args).await,
    }
}

async fn drill(session: &Session, args: &Drill) -> anyhow::Result<Exit> {
    // What is wrong with the command is said before anything is looked for.
    let described = Known::described(session);
    let plans = plans(session, args).map_err(DrillError::Usage)?;
    if session.kind == TargetKind::Local {
        described.check(&plans).map_err(DrillError::Usage)?;
    }
    let Some(place) = session.deployed().await? else {
        return Err(DrillError::Unhealthy(Unhealthy::NotDeployed(session.name().to_owned())).into());
    };
    match &place {
        Place::Local(target, checks) => {
            refuse(target.as_ref(), session, &plans).await?;
            let _lock = target.lock_existing("drill")?;
            let secrets = Secrets::load(&session.layout()?.secrets_file())?;
            let endpoints = target.endpoints();
            let site = Site {
                spec: session.spec(),
                endpoints: &endpoints,
                secrets: &secrets,
            };
            let (stage, cancel) = (Stage::set(session, args)?, CancellationToken::new());
            let clients = Here::new(&site, &stage.ledger);
            stage
                .play(session, &plans, (target.as_ref(), checks.as_ref()), &clients, &cancel)
                .await
        }
        Place::Kubernetes(target) => {
            let seen = Known::seen(target.as_ref()).await?;
            seen.check(&plans).map_err(DrillError::Usage)?;
            refuse(target.as_ref(), session, &plans).await?;
            if !args.yes && !may_touch(target.cluster())? {
                eprintln!("nothing was broken");
                return Ok(Exit::Failed);
            }
            let lock = target.lock_existing("drill").await?;
            // Whoever took the lock over ends this drill; this drill's own end gives it back.
            let (stage, cancel) = (Stage::set(session, args)?, lock.lost().child_token());
            let clients = InCluster::new(target, &stage.ledger, None);
            let prober = ClusterProber::new(target);
            let played = stage
                .play(session, &plans, (target.as_ref(), &prober), &clients, &cancel)
                .await;
            lock.release().await;
            played
        }
    }
}

/// What this target cannot do is wrong usage.
async fn refuse<T: Target>(target: &T, session: &Session, plans: &[Plan]) -> Result<(), DrillError> {
    for plan in plans {
        let Some(harm) = plan.fault.harm() else { continue };
        if let Some(why) = target.refuses(harm, &may_hit(session, plan)).await {
            return Err(UsageError::RefusedByTarget(why).into());
        }
    }
    Ok(())
}

/// Whom a plan may hit: who was named, or anyone of the component.
fn may_hit(session: &Session, plan: &Plan) -> Vec<String> {
    let of_component = components(session.spec())
        .into_iter()
        .filter(|component| plan.component.is(&component.id))
        .flat_map(|component| component.members)
        .map(|member| member.name);
    plan.member
        .as_ref()
        .map_or_else(|| of_component.collect(), |member| vec![member.clone()])
}

/// What to do, or why it cannot be done.
fn plans(session: &Session, args: &Drill) -> Result<Vec<Plan>, UsageError> {
    let what = args.what.as_deref().unwrap_or_default();
    let fault: Option<Fault> = match &args.fault {
        Some(name) => Some(name.parse()?),
        None => None,
    };
    let components = components(session.spec());
    let names: Vec<&str> = components.iter().map(|component| component.id.as_str()).collect();
    let plan = |aim: Aim, fault: Fault| Plan {
        component: aim,
        fault,
        member: args.member.clone(),
    };
    if what == "all" {
        if args.member.is_some() {
            return Err(UsageError::MemberOfAll);
        }
        // Nobody can ask anything of one that is not public, so nobody would notice its end.
        let hidden = |id: &ComponentId| {
            session
                .spec()
                .services
                .get(id.as_str())
                .is_some_and(|service| !service.public)
        };
        let ids = components.into_iter().map(|component| component.id);
        let ids: Vec<ComponentId> = ids.filter(|id| !hidden(id)).collect();
        let plans = everything(&ids, fault);
        let missing = fault.and_then(|fault| fault.missing_here(&Aim::All));
        return match missing {
            Some(why) if plans.is_empty() => Err(why.into()),
            _ => Ok(plans),
        };
    }
    if what != "node" && !names.contains(&what) {
        let known = names.iter().copied().chain(["node", "all"]);
        let near = closest(what, known.clone()).map_or_else(String::new, |near| format!("did you mean {near:?}? "));
        return Err(UsageError::UnknownComponent {
            typed: what.to_owned(),
            near,
            known: known.map(str::to_owned).collect(),
        });
    }
    let aim = Aim::from(what);
    let fault = fault.unwrap_or(if aim == Aim::Node { Fault::Node } else { Fault::Kill });
    if let Some(why) = fault.missing_here(&aim) {
        return Err(why.into());
    }
    if args.member.is_some() && matches!(fault, Fault::Switchover | Fault::Rolling | Fault::Cold) {
        return Err(UsageError::MemberOfWhole(fault));
    }
    Ok(vec![plan(aim, fault)])
}

/// What `[drill.budget]` has a column for: a crash of each component, a planned change of each leader, a lost node. Of one fault,
/// every component that can be hit by it.
fn everything(components: &[ComponentId], fault: Option<Fault>) -> Vec<Plan> {
    let faults = fault.map_or(vec![Fault::Kill, Fault::Switchover, Fault::Node], |fault| vec![fault]);
    let all = faults.into_iter().flat_map(|fault| {
        let aims = components.iter().cloned().map(Aim::from).chain([Aim::Node]);
        aims.map(move |aim| Plan {
            component: aim,
            fault,
            member: None,
        })
    });
    all.filter(|plan| plan.fault.missing_here(&plan.component).is_none())
        .filter(|plan| plan.component != Aim::Node || matches!(plan.fault, Fault::Node | Fault::Drain))
        .collect()
}

/// What a drill writes on.
struct Stage {
    settings: Settings,
    header: Header,
    path: PathBuf,
    page: Option<Page>,
    ledger: Ledger,
}

impl Stage {
    fn set(session: &Session, args: &Drill) -> anyhow::Result<Self> {
        let settings = Settings {
            runs: args.runs,
            seed: args.seed.unwrap_or_else(|| unix_ms() % 1_000_000),
            writers: args.writers,
            rate: args.rate,
            lasts: args.lasts,
            behind: None,
        };
        let path = args.ledger.clone().unwrap_or_else(|| new_ledger(session.name()));
        let page = args.html.as_deref().map(Page::create).transpose()?;
        let header = header(session, settings.seed);
        Ok(Self {
            ledger: Ledger::create(&path, &header)?,
            settings,
            header,
            path,
            page,
        })
    }

    async fn play<T: Target, P: Prober>(
        &self,
        session: &Session,
        plans: &[Plan],
        (target, prober): (&T, &P),
        clients: &dyn Clients,
        cancel: &CancellationToken,
    ) -> anyhow::Result<Exit> {
        let watcher = tokio::spawn(cancel_on_signal(cancel.clone()));
        let output = session.output;
        let show = |event: Event| show(&event, output);
        eprintln!("seed {}, ledger {}", self.settings.seed, self.path.display());
        let campaign = Campaign {
            target,
            spec: session.spec(),
            prober,
            clients,
            ledger: &self.ledger,
            settings: &self.settings,
            scope: &[],
            cancel,
            events: &show,
        };
        // In a box: what it waits for is too deep for the compiler otherwise.
        let (drills, ended) = Box::pin(campaign.run(plans)).await;
        watcher.abort();
        self.tell(session, drills, ended)
    }

    fn tell(&self, session: &Session, drills: Vec<DrillReport>, ended: Result<(), DrillError>) -> anyhow::Result<Exit> {
        let mut report = CampaignReport::of(&self.header, &self.path.to_string_lossy(), drills);
        match ended {
            Ok(()) => {}
            Err(error @ (DrillError::Unhealthy(_) | DrillError::Usage(_))) => {
                // Nothing was written down but the header.
                let _ = std::fs::remove_file(&self.path);
                if let Some(page) = &self.page {
                    page.discard();
                }
                return Err(error.into());
            }
            Err(error) => {
                if !matches!(error, DrillError::Interrupted) {
                    eprintln!(
                        "{}",
                        session.output.paint(RED, &format!("error: {}", explained(&error)))
                    );
                }
                report.broke_off(&error);
            }
        }
        print(session, &report)?;
        if let Some(page) = &self.page {
            page.write(&report)?;
        }
        Ok(exit(report.result))
    }
}

fn show(event: &Event, output: Output) {
    match event {
        Event::Healed(members) => eprintln!("healed what an earlier drill left: {}", members.join(", ")),
        Event::Drill(plan) => eprintln!("{} of {}", plan.fault, plan.component),
        Event::Fault { run, fault, members } => eprintln!("{}", fault_line(*run, *fault, members)),
        Event::Run(run) => eprint!("{}", run_text(run, output)),
        Event::Warning(warning) => eprintln!("{} {warning}", output.paint(YELLOW, "warning:")),
        Event::Healing => eprintln!("healing what was broken"),
    }
}

fn print(session: &Session, report: &CampaignReport) -> anyhow::Result<()> {
    if session.output.format == Format::Json {
        return Output::json(report);
    }
    print!("{}", drill_text(report, session.output));
    Ok(())
}

fn report_of(session: &Session, path: &Path, html: Option<&Path>) -> anyhow::Result<Exit> {
    let read = ledger::read(path)?;
    let report = CampaignReport::from_ledger(&read, &path.to_string_lossy());
    if session.output.format == Format::Text {
        for run in report.drills.iter().flat_map(|drill| &drill.runs) {
            print!("{}", run_text(run, session.output));
        }
    }
    print(session, &report)?;
    if let Some(html) = html {
        Page::create(html)?.write(&report)?;
    }
    Ok(exit(report.result))
}

fn exit(result: Verdict) -> Exit {
    match result {
        Verdict::Passed => Exit::Done,
        Verdict::Failed => Exit::Failed,
        Verdict::Interrupted => Exit::Interrupted,
    }
}

/// However often it is asked to end, it heals first.
async fn cancel_on_signal(cancel: CancellationToken) {
    let streams = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
    let [Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)] = streams else {
        return;
    };
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
        cancel.cancel();
    }
}

/// Whose ledger it is, and what its numbers hold for.
fn header(session: &Session, seed: u64) -> Header {
    let circumstances = Circumstances::now(session.spec(), command());
    Header::new(session.name(), session.kind.name(), seed, Some(circumstances))
}

/// As it was called; where the program lies says nothing of the drill.
fn command() -> Vec<String> {
    std::iter::once("nova".to_owned())
        .chain(std::env::args().skip(1))
        .collect()
}

fn new_ledger(platform: &str) -> PathBuf {
    std::env::temp_dir().join(format!("nova-drill-{platform}-{}.jsonl", unix_ms()))
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{ComponentId, Fault, everything};

    #[test]
    fn everything_is_each_budgets_fault_on_whatever_it_can_hit() {
        let told = |fault| -> Vec<String> {
            let plans = everything(&["etcd", "redis", "user-service"].map(ComponentId::from), fault);
            plans
                .iter()
                .map(|plan| format!("{} {}", plan.fault, plan.component))
                .collect()
        };
        assert_eq!(
            told(None),
            [
                "kill etcd",
                "kill redis",
                "kill user-service",
                "switchover redis",
                "node node"
            ]
        );
        assert_eq!(told(Some(Fault::Switchover)), ["switchover redis"]);
        assert_eq!(told(Some(Fault::Node)), ["node node"]);
        assert_eq!(told(Some(Fault::Drain)), ["drain node"]);
        assert_eq!(told(Some(Fault::DiskFull)), ["disk-full etcd", "disk-full redis"]);
    }
}
