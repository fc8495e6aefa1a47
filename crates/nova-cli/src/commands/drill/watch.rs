//! `nova drill watch`: clients write and keep the ledger while somebody else breaks things.

use std::io::Write;
use std::path::Path;

use nova_drill::doors::{Site, Store};
use nova_drill::error::DrillError;
use nova_drill::ledger::Ledger;
use nova_drill::watch::{Settings, watch};
use nova_kubernetes::target::KubernetesTarget;
use nova_local::target::LocalTarget;
use nova_platform::secrets::Secrets;
use nova_platform::target::Target;
use tokio_util::sync::CancellationToken;

use super::super::clients::Request;
use super::super::place::Place;
use super::{Session, cancel_on_signal, header, new_ledger, report_of};
use crate::cli::Watch;
use crate::exit::Exit;

pub(super) async fn run(session: &Session, args: &Watch) -> anyhow::Result<Exit> {
    let settings = settings(session, args)?;
    let Some(place) = session.deployed().await? else {
        let nothing = format!("nothing of platform {} is deployed", session.name());
        return Err(DrillError::Unhealthy(nothing).into());
    };
    let path = args.ledger.clone().unwrap_or_else(|| new_ledger(session.name()));
    let end = CancellationToken::new();
    let watcher = tokio::spawn(cancel_on_signal(end.clone()));
    eprintln!("ledger {}", path.display());
    let done = match &place {
        Place::Local(target, _) => here(session, target, &settings, &path, &end).await,
        Place::Kubernetes(target) => in_cluster(session, target, &settings, args, &path, &end).await,
    };
    watcher.abort();
    done?;
    report_of(session, &path, None)
}

fn writing() {
    eprintln!("every client writes; break what you like, Ctrl-C ends it");
}

async fn here(
    session: &Session,
    target: &LocalTarget,
    settings: &Settings,
    path: &Path,
    end: &CancellationToken,
) -> anyhow::Result<()> {
    let _lock = target.lock_existing("drill")?;
    let secrets = Secrets::load(&session.layout()?.secrets_file())?;
    let endpoints = target.endpoints();
    let site = Site {
        spec: session.spec(),
        endpoints: &endpoints,
        secrets: &secrets,
    };
    let ledger = Ledger::create(path, &header(session, 0))?;
    watch(&site, settings, &ledger, end, writing).await?;
    ledger.flush()?;
    Ok(())
}

/// The clients run inside the cluster; their ledger is written down here as it comes.
async fn in_cluster(
    session: &Session,
    target: &KubernetesTarget,
    settings: &Settings,
    args: &Watch,
    path: &Path,
    end: &CancellationToken,
) -> anyhow::Result<()> {
    let request = Request {
        spec: session.spec().clone(),
        endpoints: target.endpoints(),
        settings: settings.clone(),
        circumstances: header(session, 0).circumstances,
    };
    let mut file = std::fs::File::create_new(path)?;
    let mut broken = Ok(());
    let on_line = |line: &str| {
        if line.starts_with("{\"begin\"") {
            writing();
        }
        if broken.is_ok() {
            broken = writeln!(file, "{line}");
        }
    };
    let request = serde_json::to_string(&request)?;
    let avoid = args.avoid_node.as_deref();
    target.agents().run(&["clients"], &request, avoid, end, on_line).await?;
    Ok(broken?)
}

/// As it was typed; every store when nothing was named.
fn settings(session: &Session, args: &Watch) -> Result<Settings, DrillError> {
    let store = |name: &String| Store::JUDGED.into_iter().find(|store| store.to_string() == *name);
    let stores = args.of.iter().filter_map(store).collect();
    let others: Vec<&String> = args.of.iter().filter(|name| store(name).is_none()).collect();
    let services = &session.spec().services;
    let known = Store::JUDGED
        .map(|store| store.to_string())
        .into_iter()
        .chain(services.keys().cloned());
    if let Some(unknown) = others.iter().find(|name| !services.contains_key(**name)) {
        let known = known.collect::<Vec<_>>().join(", ");
        return Err(DrillError::Usage(format!(
            "nothing can be written to {unknown:?}: there are {known}"
        )));
    }
    if others.len() > 1 {
        return Err(DrillError::Usage("one service at a time can be asked".to_owned()));
    }
    Ok(Settings {
        stores: if args.of.is_empty() {
            Store::JUDGED.to_vec()
        } else {
            stores
        },
        service: others.first().map(|name| (*name).clone()),
        writers: args.writers,
        rate: args.rate,
        lasts: args.lasts,
    })
}
