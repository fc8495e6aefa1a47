//! `nova member`: replaces what a member has by what the others have, and forms etcd's cluster anew where nobody is left who could.

use std::time::Duration;

use anyhow::{bail, ensure};
use nova_kubernetes::names::Area;
use nova_local::target::LocalTarget;
use nova_platform::checks::{Checks, Depth};
use nova_platform::components::ComponentId;
use nova_platform::probe::{CheckKind, CheckResult};
use nova_platform::topology::{Kind, Member, components};

use super::{Session, WrongUsage};
use crate::cli::{Format, TargetKind};
use crate::exit::Exit;
use crate::output::Output;

/// Longest wait until the member works again. It copies everything.
const LIMIT: Duration = Duration::from_secs(600);
/// Of one round of checks.
const ROUND: Duration = Duration::from_secs(5);
/// Between two rounds.
const PAUSE: Duration = Duration::from_millis(300);

/// `nova member replace NAME`.
pub(super) async fn replace(session: &Session, name: &str) -> anyhow::Result<Exit> {
    let member = described(session, name)?;
    if session.kind == TargetKind::Kubernetes {
        return in_cluster(session, &member);
    }
    let target = deployed(session)?;
    let _lock = target.lock_existing("member replace")?;
    let checks = session.checks(&target)?;
    may_be_replaced(&checks, &member, session).await?;
    let aside = target.start_without_data(name).await?;
    eprintln!("{name} starts without data, and takes everything from the others");
    prove(&checks, &member.component).await?;
    let aside = aside.map(|path| path.display().to_string());
    if session.output.format == Format::Json {
        Output::json(
            &serde_json::json!({"schema": "nova.member/v1", "member": name, "result": "replaced", "aside": aside}),
        )?;
    } else {
        println!("replaced: {name} works");
        if let Some(aside) = aside {
            println!("what it had is in {aside}; remove it when you are sure");
        }
    }
    Ok(Exit::Done)
}

/// `nova member recover etcd|NAME`.
pub(super) async fn recover(session: &Session, name: &str) -> anyhow::Result<Exit> {
    let from = (name != "etcd").then_some(name);
    if let Some(name) = from {
        let kind = described(session, name)?.kind;
        ensure!(
            kind == Kind::Etcd,
            WrongUsage(format!(
                "only etcd is recovered so, and {name} is no member of it; there is `nova member replace`"
            ))
        );
    }
    if session.kind == TargetKind::Kubernetes {
        bail!(
            "not on Kubernetes yet. In the volume of {}, make an empty file etcd-forms beside etcd's directory: \
             kubectl -n {} exec POD -- touch /data/etcd-forms",
            from.unwrap_or("every member of etcd"),
            Area::of(Kind::Etcd).namespace(session.spec())
        );
    }
    let target = deployed(session)?;
    let _lock = target.lock_existing("member recover")?;
    let checks = session.checks(&target)?;
    let results = checks.component(&ComponentId::Etcd, Depth::Status, ROUND).await;
    ensure!(
        results.iter().any(|check| !check.ok && check.essential),
        "etcd has a quorum, so there is nothing to recover; `nova member replace` helps a single member"
    );
    target.form_etcd_anew(from).await?;
    prove(&checks, &ComponentId::Etcd).await?;
    println!(
        "recovered: etcd is one cluster again. Patroni writes its state into it; `nova deploy` checks and completes everything"
    );
    Ok(Exit::Done)
}

fn deployed(session: &Session) -> anyhow::Result<LocalTarget> {
    match session.deployed_here()? {
        Some(target) => Ok(target),
        None => bail!(
            "nothing of platform {} is deployed here; ./nova deploy brings it up",
            session.name()
        ),
    }
}

fn described(session: &Session, name: &str) -> anyhow::Result<Member> {
    let all: Vec<Member> = components(session.spec())
        .into_iter()
        .flat_map(|component| component.members)
        .collect();
    let known = || {
        all.iter()
            .map(|member| member.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    match all.iter().find(|member| member.name == name) {
        Some(member) => Ok(member.clone()),
        None => bail!(WrongUsage(format!(
            "there is no member {name:?}; there are {}",
            known()
        ))),
    }
}

/// Only what others have as well is given up.
async fn may_be_replaced(checks: &Checks, member: &Member, session: &Session) -> anyhow::Result<()> {
    let name = &member.name;
    if matches!(member.kind, Kind::Service | Kind::Gateway | Kind::Sentinel) {
        bail!(WrongUsage(format!(
            "{name} keeps no data that could be replaced; `nova deploy` starts it when it is down"
        )));
    }
    let of_kind = components(session.spec())
        .into_iter()
        .flat_map(|component| component.members)
        .filter(|other| other.kind == member.kind)
        .count();
    ensure!(
        of_kind > 1,
        "{name} is the only one of its kind, and has the only copy of everything"
    );
    let roles = checks.roles(&member.component, ROUND).await;
    let leads = roles
        .iter()
        .any(|role| role.member == *name && matches!(role.role.as_deref(), Some("leader" | "master")));
    ensure!(
        !leads || member.kind == Kind::Etcd,
        "{name} leads, and may have what the others have not yet; `nova drill {} --fault switchover` hands over, then try again",
        member.component
    );
    let concerns_it =
        |check: &CheckResult| check.member.as_deref() == Some(name.as_str()) || check.kind == CheckKind::Members;
    let results = checks.component(&member.component, Depth::Status, ROUND).await;
    let failing: Vec<String> = results
        .iter()
        .filter(|check| !check.ok && (check.essential || !concerns_it(check)))
        .map(|check| format!("{}: {}", check.name, check.error.as_deref().unwrap_or("failed")))
        .collect();
    ensure!(
        failing.is_empty(),
        "without {name} the others must be well, and they are not: {}. Nothing was changed",
        failing.join("; ")
    );
    Ok(())
}

async fn prove(checks: &Checks, component: &ComponentId) -> anyhow::Result<()> {
    let begin = tokio::time::Instant::now();
    loop {
        let results = checks.component(component, Depth::Status, ROUND).await;
        let Some(failing) = results.into_iter().find(|check| !check.ok) else {
            return Ok(());
        };
        if begin.elapsed() > LIMIT {
            bail!(
                "within {} s {component} did not become well: {}: {}; `nova status` says how it goes on",
                LIMIT.as_secs(),
                failing.name,
                failing.error.unwrap_or_default()
            );
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Its volume is the cluster's to remove; what the pod does on an empty one is what it does here.
fn in_cluster(session: &Session, member: &Member) -> anyhow::Result<Exit> {
    bail!(
        "on Kubernetes a member is replaced by its claim and its pod, once the others are well (./nova status): \
         kubectl -n {namespace} delete pvc data-{name} --wait=false; kubectl -n {namespace} delete pod {name}. \
         The new pod takes everything from the others by itself",
        name = member.name,
        namespace = Area::of(member.kind).namespace(session.spec())
    )
}
