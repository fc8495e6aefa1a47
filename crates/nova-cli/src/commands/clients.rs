//! `nova clients`: the clients of a drill inside a cluster. The request is the first line of standard input, the ledger is
//! standard output, and any further line, or the end of the input, ends the writing.

use std::fs::File;
use std::io::BufRead;
use std::os::fd::AsFd;
use std::path::Path;

use anyhow::Context;
use nova_drill::circumstances::Circumstances;
use nova_drill::doors::Site;
use nova_drill::ledger::{Header, Ledger};
use nova_drill::watch::{Settings, watch};
use nova_platform::endpoints::Endpoints;
use nova_platform::secrets::Secrets;
use nova_platform::spec::Spec;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::cli::TargetKind;
use crate::exit::Exit;

/// What the clients are told.
#[derive(Serialize, Deserialize)]
pub(super) struct Request {
    /// The platform.
    pub(super) spec: Spec,
    /// Where it is met.
    pub(super) endpoints: Endpoints,
    /// How they write.
    pub(super) settings: Settings,
    /// What the numbers hold for, as whoever asks knows it.
    pub(super) circumstances: Option<Circumstances>,
}

pub(super) fn run(secrets: &Path) -> anyhow::Result<Exit> {
    let mut lines = std::io::stdin().lock().lines();
    let first = lines.next().context("no request came on standard input")??;
    let request: Request = serde_json::from_str(&first).context("the request on standard input is not one")?;
    let end = CancellationToken::new();
    let ended = end.clone();
    std::thread::spawn(move || {
        let _ = std::io::stdin().lock().lines().next();
        ended.cancel();
    });
    drop(lines);
    let secrets = Secrets::from_directory(secrets)?;
    let output = File::from(std::io::stdout().as_fd().try_clone_to_owned()?);
    let header = Header::new(
        &request.spec.platform.name,
        TargetKind::Kubernetes.name(),
        0,
        request.circumstances,
    );
    let ledger = Ledger::onto(output, Path::new("standard output"), &header)?;
    let site = Site {
        spec: &request.spec,
        endpoints: &request.endpoints,
        secrets: &secrets,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let result = runtime.block_on(watch(&site, &request.settings, &ledger, &end, || {}));
    let flushed = ledger.flush();
    runtime.shutdown_background();
    result?;
    flushed?;
    Ok(Exit::Done)
}
