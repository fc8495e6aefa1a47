//! `nova deploy` into a cluster: preflight, images, plan, apply, rollout, and the ways to what works at its end.

use std::io::{IsTerminal, Write};

use anyhow::bail;
use nova_kubernetes::agent::ClusterProber;
use nova_kubernetes::names::Area;
use nova_kubernetes::target::{Cluster, DeployLock, KubernetesTarget, agent_component};
use nova_platform::components::{ComponentId, InCluster, facts};
use nova_platform::target::Target;
use nova_platform::topology::components;
use nova_platform::transition::Deployed;
use tokio_util::sync::CancellationToken;

use super::super::doctor::cluster;
use super::super::settings::Transition;
use super::super::{Session, images, whereabouts};
use super::{Ending, bring_up, end_on_signal, prune, report_failure, report_success, show, show_plan};
use crate::cli::Deploy;
use crate::exit::Exit;

pub(super) async fn run(session: &Session, args: &Deploy) -> anyhow::Result<Exit> {
    let references = images::references(session)?;
    let (target, profile) = cluster::target(session, session.cluster().await?, &references).await?;
    let place = target.cluster();
    eprintln!(
        "context {}, API server {}, profile {}",
        place.context,
        place.server,
        profile.name()
    );
    cluster::require(&target).await?;
    if !args.yes && !may_touch(place)? {
        eprintln!("nothing was deployed");
        return Ok(Exit::Failed);
    }
    let cancel = CancellationToken::new();
    let watcher = tokio::spawn(end_on_signal(cancel.clone()));
    let done = deploy(session, args, &target, cancel).await;
    watcher.abort();
    done
}

async fn deploy(
    session: &Session,
    args: &Deploy,
    target: &KubernetesTarget,
    cancel: CancellationToken,
) -> anyhow::Result<Exit> {
    let built = async {
        let (images, _) = images::build(session).await?;
        images::load(session, &images, false).await
    };
    tokio::select! {
        built = built => drop(built?),
        () = cancel.cancelled() => return Ok(interrupted()),
    }
    let lock = tokio::select! {
        lock = target.lock("deploy") => lock?,
        () = cancel.cancelled() => return Ok(interrupted()),
    };
    let done = apply(session, args, target, &lock, cancel).await;
    lock.release().await;
    done
}

async fn apply(
    session: &Session,
    args: &Deploy,
    target: &KubernetesTarget,
    lock: &DeployLock,
    cancel: CancellationToken,
) -> anyhow::Result<Exit> {
    let lost = lock.lost();
    let stop = cancel.clone();
    let guard = tokio::spawn(async move {
        lost.cancelled().await;
        stop.cancel();
    });
    let work = async {
        let settings = Transition::in_cluster(session, target).await?;
        show(session, &settings.text());
        settings.refuse(session)?;
        let plan = target.plan().await?;
        show_plan(session, &plan);
        target.prepare().await?;
        target.note_deployed(&settings.begun(session)).await?;
        prune(target, &plan).await?;
        anyhow::Ok((plan, settings))
    };
    let (plan, settings) = tokio::select! {
        plan = work => plan?,
        () = cancel.cancelled() => return Ok(interrupted()),
    };
    whereabouts::remember(session.name(), session.kind);
    let mut all = vec![agent_component()];
    all.extend(components(session.spec()));
    let prober = ClusterProber::new(target);
    let result = bring_up(session, target, &prober, &all, &plan, cancel, args.timeout).await;
    guard.abort();
    if lock.lost().is_cancelled() {
        bail!("the lock of this deploy was taken over by another command; ./nova deploy goes on where this ended");
    }
    match result? {
        Ok(outcome) => {
            // The addresses are those of the pods that are there now.
            target.inspect().await?;
            target.note_deployed(&Deployed::ended(session.spec())).await?;
            let ending = Ending {
                endpoints: target.endpoints(),
                ways: ways(session),
                shells: shells(session),
                settings: settings.changes,
            };
            report_success(session, &ending, &plan, &outcome)
        }
        Err(failure) => report_failure(session, &failure),
    }
}

fn interrupted() -> Exit {
    eprintln!("interrupted; ./nova deploy goes on where this ended, ./nova cleanup removes what was made");
    Exit::Interrupted
}

/// Whether a cluster may be changed: one of this machine's or network's own at once, another after a yes.
pub(in crate::commands) fn may_touch(cluster: &Cluster) -> anyhow::Result<bool> {
    if cluster.is_local {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        bail!(
            "the cluster of context {} ({}) is not on this machine or its network: pass --yes to change it without a terminal",
            cluster.context,
            cluster.server
        );
    }
    eprint!(
        "this changes the cluster of context {} ({}); go on? [y/N] ",
        cluster.context, cluster.server
    );
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// The port-forwards by which this machine comes to what is inside the cluster.
fn ways(session: &Session) -> Vec<Vec<String>> {
    let spec = session.spec();
    let kubectl = kubectl(session);
    let forward = |area: Area, service: &str, here: u16, there: u16| {
        let namespace = area.namespace(spec);
        vec![
            service.to_owned(),
            format!("{kubectl} -n {namespace} port-forward service/{service} {here}:{there}"),
        ]
    };
    let services = spec.public_services();
    let mut ways: Vec<Vec<String>> = services
        .map(|(name, service)| forward(Area::Services, name, service.port, service.port))
        .collect();
    ways.push(forward(
        Area::Database,
        "postgres-primary",
        spec.gateway.primary_port,
        5432,
    ));
    ways
}

/// Commands that need no password to be typed: the pods have them as files.
fn shells(session: &Session) -> Vec<Vec<String>> {
    let spec = session.spec();
    let kubectl = kubectl(session);
    let row = |id: &ComponentId| {
        let facts = facts(id);
        let namespace = facts.area.namespace(spec);
        let command = match facts.shell?.in_cluster {
            InCluster::Exec(program) => {
                let program = program(spec);
                format!("{kubectl} -n {namespace} exec -it {id}-1 -- {program}")
            }
            InCluster::Forward { port, then } => {
                let (port, then) = (port(spec), then(port(spec)));
                format!("{kubectl} -n {namespace} port-forward pod/{id}-1 {port}:{port}, then {then}")
            }
        };
        Some(vec![id.to_string(), command])
    };
    ComponentId::OWN.iter().filter_map(row).collect()
}

/// With the context, when it is not simply the current one.
fn kubectl(session: &Session) -> String {
    match session.spec().kubernetes.context.as_str() {
        "" => "kubectl".to_owned(),
        context => format!("kubectl --context {context}"),
    }
}
