//! `nova clients`: the clients of one run of a drill inside a cluster. The request is the first line of standard input, orders are
//! the others; standard output is the ledger with the answers between its lines. The end of the input gives the run up.

use std::fs::File;
use std::io::BufRead;
use std::os::fd::AsFd;
use std::path::Path;

use anyhow::Context;
use nova_drill::clients::wire::{Order, Said, serve};
use nova_drill::clients::{Here, Request};
use nova_drill::doors::Site;
use nova_drill::ledger::Ledger;
use nova_drill::record::Header;
use nova_platform::endpoints::Endpoints;
use nova_platform::secrets::Secrets;
use nova_platform::spec::Spec;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::cli::TargetKind;
use crate::exit::Exit;

/// What the clients are told first.
#[derive(Serialize, Deserialize)]
pub(super) struct Assignment {
    /// The platform.
    pub(super) spec: Spec,
    /// Where it is met.
    pub(super) endpoints: Endpoints,
    /// The run.
    pub(super) request: Request,
}

pub(super) fn run(secrets: &Path) -> anyhow::Result<Exit> {
    let first = std::io::stdin().lock().lines().next();
    let first = first.context("no request came on standard input")??;
    let assignment: Assignment = serde_json::from_str(&first).context("the request on standard input is not one")?;
    // Reading blocks, and cannot be ended: it has a thread that nobody waits for.
    let (ordered, mut orders) = mpsc::channel(1);
    std::thread::spawn(move || {
        let lines = std::io::stdin().lock().lines().map_while(Result::ok);
        let orders = lines.map_while(|line| serde_json::from_str::<Order>(&line).ok());
        for order in orders {
            if ordered.blocking_send(order).is_err() {
                return;
            }
        }
    });
    let secrets = Secrets::from_directory(secrets)?;
    let output = File::from(std::io::stdout().as_fd().try_clone_to_owned()?);
    // Whoever reads this has a header of its own.
    let header = Header::new(&assignment.spec.platform.name, TargetKind::Kubernetes.name(), 0, None);
    let ledger = Ledger::onto(output, Path::new("standard output"), &header)?;
    let site = Site {
        spec: &assignment.spec,
        endpoints: &assignment.endpoints,
        secrets: &secrets,
    };
    let answer = |answer| {
        let said = Said::Answer {
            answer: Box::new(answer),
        };
        ledger.interject(serde_json::to_vec(&said)?);
        Ok::<(), anyhow::Error>(ledger.flush()?)
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let clients = Here::new(&site, &ledger);
    let served = runtime.block_on(serve(&clients, assignment.request, &mut orders, answer));
    runtime.shutdown_background();
    served?;
    Ok(Exit::Done)
}
