//! The negative control of `nova drill self-test`: a throw-away platform whose commits wait for no standby loses acknowledged
//! writes when its leader is lost while the standby is behind, and the judge must see that.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::bail;
use nova_drill::campaign::{Campaign, Event, Plan, Settings};
use nova_drill::circumstances::Circumstances;
use nova_drill::clients::Here;
use nova_drill::doors::Site;
use nova_drill::error::DrillError;
use nova_drill::fault::Fault;
use nova_drill::ledger::Ledger;
use nova_drill::record::{Header, RunReport};
use nova_drill::report::CampaignReport;
use nova_local::layout::Layout;
use nova_local::target::LocalTarget;
use nova_platform::components::ComponentId;
use nova_platform::load;
use nova_platform::rollout::Failure;
use nova_platform::secrets::Secrets;
use nova_platform::target::Target;
use nova_platform::topology::components;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::super::{deploy, doctor};
use super::{Session, cancel_on_signal};
use crate::cli::TargetKind;
use crate::output::{failure_block, run_text, seconds};

/// Throw-away platforms are called this, and the id of the process that made them.
const NAME: &str = "self-test-";
/// What commits need; everything else is left out.
const SCOPE: [ComponentId; 3] = [ComponentId::Etcd, ComponentId::Postgres, ComponentId::Gateway];
/// Time for it to come up.
const UP: Duration = Duration::from_secs(180);
/// Clients, and their writes a second: what a replica lacks must stay below what Patroni allows it for leading, 1 MB.
const WRITERS: u16 = 8;
const RATE: u32 = 1000;
/// How long the replica lacks everything before its leader is lost.
const BEHIND: Duration = Duration::from_millis(500);
/// Loopback networks that are tried for it.
const NETWORKS: u32 = 16;

/// What the control came to.
#[derive(Debug, Serialize)]
pub(super) struct Proof {
    /// Whether a loss was found.
    pub(super) found: bool,
    /// Kills that it took.
    pub(super) kills: u32,
    /// Acknowledged writes that the last of them lost.
    pub(super) lost: u64,
    /// Of so many acknowledged ones in that run.
    pub(super) acknowledged: u64,
    /// The ledger that shows them.
    pub(super) ledger: Option<PathBuf>,
    /// How long everything took, in milliseconds.
    pub(super) ms: u128,
}

impl Proof {
    /// In a sentence.
    pub(super) fn told(&self) -> String {
        let (kills, lost, acknowledged) = (self.kills, self.lost, self.acknowledged);
        let ledger = self.ledger.as_deref().unwrap_or(Path::new("")).display();
        if self.found {
            return format!(
                "without synchronous commits, loss {kills} of a leader whose standby was behind lost {lost} of {acknowledged} \
                 acknowledged writes, and the judge saw it (ledger {ledger})"
            );
        }
        format!(
            "without synchronous commits, {kills} losses of a leader whose standby was behind lost nothing that the judge could see: \
             the judge is blind"
        )
    }
}

/// Deploys, kills until something is lost or `most` kills lost nothing, and removes everything whatever happens. `None` when it
/// was interrupted.
pub(super) async fn run(session: &Session, seed: u64, most: u32) -> anyhow::Result<Option<Proof>> {
    let begin = Instant::now();
    doctor::require(session, false)?;
    remove_leftovers(session).await;
    let thrown_away = described(session)?;
    let target = thrown_away.target()?;
    let lock = target.lock("drill self-test")?;
    let cancel = CancellationToken::new();
    let watcher = tokio::spawn(cancel_on_signal(cancel.clone()));
    let worked = tokio::select! {
        // In a box: what it waits for is too deep for the compiler otherwise.
        proof = Box::pin(prove(&thrown_away, &target, seed, most)) => proof.map(Some),
        () = cancel.cancelled() => {
            eprintln!("interrupted: the throw-away platform is removed");
            Ok(None)
        }
    };
    let removed = remove(&target).await;
    watcher.abort();
    drop(lock);
    let proof = worked?;
    removed?;
    Ok(proof.map(|proof| Proof {
        ms: begin.elapsed().as_millis(),
        ..proof
    }))
}

async fn prove(session: &Session, target: &LocalTarget, seed: u64, most: u32) -> anyhow::Result<Proof> {
    bring_up(session, target).await?;
    let mut proof = Proof {
        found: false,
        kills: 0,
        lost: 0,
        acknowledged: 0,
        ledger: None,
        ms: 0,
    };
    for kill in 1..=most {
        let path = std::env::temp_dir().join(format!("nova-drill-{}-{kill}.jsonl", session.name()));
        let run = kill_once(session, target, seed + u64::from(kill), &path).await;
        let found = run.as_ref().is_ok_and(|run| run.lost.is_some_and(|lost| lost > 0));
        if !found {
            // It proves nothing, and would only fill the disk.
            let _ = std::fs::remove_file(&path);
        }
        let run = run?;
        eprint!(
            "{}",
            run_text(
                &RunReport {
                    run: kill,
                    ..run.clone()
                },
                session.output
            )
        );
        proof.kills = kill;
        proof.acknowledged = run.acknowledged;
        if found {
            proof.found = true;
            proof.lost = run.lost.unwrap_or(0);
            proof.ledger = Some(path);
            break;
        }
    }
    Ok(proof)
}

async fn bring_up(session: &Session, target: &LocalTarget) -> anyhow::Result<()> {
    eprintln!(
        "platform {} without synchronous commits, to be removed afterwards",
        session.name()
    );
    target.prepare().await?;
    let mut plan = target.plan().await?;
    plan.steps.retain(|step| SCOPE.contains(&step.component));
    let mut parts = components(session.spec());
    parts.retain(|component| SCOPE.contains(&component.id));
    let checks = session.checks(target)?;
    let never = CancellationToken::new();
    let brought = deploy::bring_up(session, target, &checks, &parts, &plan, never, UP).await?;
    brought.map(|_| ()).map_err(|failure| cannot_deploy(session, &failure))
}

fn cannot_deploy(session: &Session, failure: &Failure) -> anyhow::Error {
    let next = "./nova doctor tells what this machine lacks; ./nova drill self-test --planted-only needs no platform";
    eprint!("{}", failure_block(failure, next, None, session.output));
    anyhow::anyhow!("the throw-away platform did not come up")
}

async fn kill_once(session: &Session, target: &LocalTarget, seed: u64, path: &Path) -> anyhow::Result<RunReport> {
    let circumstances = Circumstances::now(session.spec(), super::command());
    let header = Header::new(session.name(), TargetKind::Local.name(), seed, Some(circumstances));
    let ledger = Ledger::create(path, &header)?;
    let secrets = Secrets::load(&session.layout()?.secrets_file())?;
    let checks = session.checks(target)?;
    // What a run leaves behind in a platform that is thrown away is nobody's concern, and neither is a budget.
    let events = |_: Event| {};
    let settings = Settings {
        runs: 1,
        seed,
        writers: WRITERS,
        rate: Some(RATE),
        lasts: Duration::ZERO,
        behind: Some(BEHIND),
    };
    let endpoints = target.endpoints();
    let site = Site {
        spec: session.spec(),
        endpoints: &endpoints,
        secrets: &secrets,
    };
    let campaign = Campaign {
        target,
        spec: session.spec(),
        prober: &checks,
        clients: &Here::new(&site, &ledger),
        ledger: &ledger,
        settings: &settings,
        scope: &SCOPE,
        cancel: &CancellationToken::new(),
        events: &events,
    };
    let plan = Plan {
        component: ComponentId::Postgres.into(),
        fault: Fault::Kill,
        member: None,
    };
    let (drills, ended) = campaign.run(&[plan]).await;
    let report = CampaignReport::of(&header, &path.to_string_lossy(), drills);
    let run = report.drills.into_iter().flat_map(|drill| drill.runs).next();
    // A loss is a loss, whether or not the platform found together again under such a load.
    if run.as_ref().is_none_or(|run| run.lost.is_none_or(|lost| lost == 0)) {
        ended?;
    }
    run.ok_or_else(|| DrillError::Unjudged.into())
}

/// The shipped platform under a name, a network and a gateway address of its own, without synchronous commits. One standby: of
/// two, the one that is further would lead.
fn described(session: &Session) -> anyhow::Result<Session> {
    let name = format!("{NAME}{}", std::process::id());
    let Some(network) = (0..NETWORKS).map(network).find(|network| is_free(network)) else {
        bail!("none of {NETWORKS} loopback networks is free for a throw-away platform: something listens on each");
    };
    let text = format!(
        "[platform]\nname = \"{name}\"\n[local]\nnetwork = \"{network}\"\ngateway_address = \"{network}.100\"\nuser = \"{}\"\n\
         [postgres]\nmembers = 2\nsynchronous_mode = \"off\"\n",
        session.spec().local.user
    );
    Ok(Session {
        source: None,
        platform: load::parse(&text, "the throw-away platform")?,
        kind: TargetKind::Local,
        output: session.output,
    })
}

fn network(attempt: u32) -> String {
    let number = std::process::id().wrapping_add(attempt * 7);
    format!("127.{}.{}", 100 + number / 250 % 20, number % 250)
}

/// Whether nobody listens where its members will.
fn is_free(network: &str) -> bool {
    let taken = [
        (1, 5432),
        (2, 5432),
        (3, 5432),
        (1, 2379),
        (2, 2379),
        (3, 2379),
        (100, 15432),
    ];
    taken
        .iter()
        .all(|(host, port)| TcpListener::bind((format!("{network}.{host}"), *port)).is_ok())
}

/// Removes what a self-test left that was killed itself: whoever still works on one holds its lock.
async fn remove_leftovers(session: &Session) {
    let Ok(layout) = Layout::of(session.name()) else {
        return;
    };
    let siblings = layout
        .directory()
        .parent()
        .and_then(|root| std::fs::read_dir(root).ok());
    let names = siblings.into_iter().flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    for name in names.filter(|name| name.starts_with(NAME)) {
        let mut spec = session.spec().clone();
        spec.platform.name.clone_from(&name);
        let Ok(target) = LocalTarget::open(&spec) else {
            continue;
        };
        let Ok(_lock) = target.lock_existing("drill self-test") else {
            continue;
        };
        eprintln!("removing {name}, which an earlier self-test left");
        if let Err(error) = remove(&target).await {
            eprintln!("warning: {error:#}");
        }
    }
}

async fn remove(target: &LocalTarget) -> anyhow::Result<()> {
    if !target.has_state()? {
        return Ok(());
    }
    let begin = Instant::now();
    let removal = target.remove(true).await?;
    if removal.left.is_empty() {
        eprintln!("removed the throw-away platform in {}", seconds(begin.elapsed()));
        return Ok(());
    }
    bail!(
        "the throw-away platform left something behind: {}",
        removal.left.join("; ")
    )
}
