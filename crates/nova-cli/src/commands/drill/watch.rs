//! `nova drill watch`: clients write and keep the ledger while somebody else breaks things.

use nova_drill::clients::{Clients, Here, Request};
use nova_drill::doors::Site;
use nova_drill::error::{DrillError, Unhealthy, UsageError};
use nova_drill::ledger::Ledger;
use nova_drill::store::Store;
use nova_drill::watch::watch;
use nova_platform::secrets::Secrets;
use nova_platform::target::Target;
use tokio_util::sync::CancellationToken;

use super::super::place::Place;
use super::in_cluster::InCluster;
use super::{Session, cancel_on_signal, header, new_ledger, report_of};
use crate::cli::Watch;
use crate::exit::Exit;

pub(super) async fn run(session: &Session, args: &Watch) -> anyhow::Result<Exit> {
    let request = request(session, args).map_err(DrillError::Usage)?;
    let Some(place) = session.deployed().await? else {
        return Err(DrillError::Unhealthy(Unhealthy::NotDeployed(session.name().to_owned())).into());
    };
    let path = args.ledger.clone().unwrap_or_else(|| new_ledger(session.name()));
    let end = CancellationToken::new();
    let watcher = tokio::spawn(cancel_on_signal(end.clone()));
    eprintln!("ledger {}", path.display());
    let look = async |clients: &dyn Clients, ledger: &Ledger| {
        watch(clients, request, args.lasts, ledger, &end, writing).await?;
        ledger.flush().map_err(anyhow::Error::from)
    };
    let done = match &place {
        Place::Local(target, _) => {
            let _lock = target.lock_existing("drill")?;
            let secrets = Secrets::load(&session.layout()?.secrets_file())?;
            let endpoints = target.endpoints();
            let site = Site {
                spec: session.spec(),
                endpoints: &endpoints,
                secrets: &secrets,
            };
            let ledger = Ledger::create(&path, &header(session, 0))?;
            look(&Here::new(&site, &ledger), &ledger).await
        }
        Place::Kubernetes(target) => {
            let ledger = Ledger::create(&path, &header(session, 0))?;
            look(&InCluster::new(target, &ledger, args.avoid_node.as_deref()), &ledger).await
        }
    };
    watcher.abort();
    done?;
    report_of(session, &path, None)
}

fn writing() {
    eprintln!("every client writes; break what you like, Ctrl-C ends it");
}

/// As it was typed; every store when nothing was named.
fn request(session: &Session, args: &Watch) -> Result<Request, UsageError> {
    let store = |name: &String| Store::JUDGED.into_iter().find(|store| store.to_string() == *name);
    let mut stores: Vec<Store> = args.of.iter().filter_map(store).collect();
    let others: Vec<&String> = args.of.iter().filter(|name| store(name).is_none()).collect();
    let services = &session.spec().services;
    let known = Store::JUDGED
        .map(|store| store.to_string())
        .into_iter()
        .chain(services.keys().cloned());
    if let Some(unknown) = others.iter().find(|name| !services.contains_key(**name)) {
        return Err(UsageError::UnknownStore {
            typed: (*unknown).clone(),
            known: known.collect(),
        });
    }
    if others.len() > 1 {
        return Err(UsageError::SeveralServices);
    }
    if args.of.is_empty() {
        stores = Store::JUDGED.to_vec();
    }
    stores.extend(others.first().map(|_| Store::Requests));
    Ok(Request {
        run: 1,
        stores,
        service: others.first().map(|name| (*name).clone()).unwrap_or_default(),
        writers: args.writers,
        rate: args.rate,
    })
}
