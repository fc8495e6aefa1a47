//! `nova agent`: runs checks inside a cluster, for the tool outside.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::exit::Exit;

/// Time in which an agent must say that it works.
const PROBE: Duration = Duration::from_secs(3);

pub(super) fn run(listen: SocketAddr, secrets: &Path, probe: bool) -> anyhow::Result<Exit> {
    let mut runtime = if probe {
        tokio::runtime::Builder::new_current_thread()
    } else {
        tokio::runtime::Builder::new_multi_thread()
    };
    let runtime = runtime.enable_all().build()?;
    if probe {
        if let Err(why) = runtime.block_on(nova_kubernetes::agent::probe(listen, PROBE)) {
            bail!(why);
        }
        return Ok(Exit::Done);
    }
    runtime.block_on(async {
        let stop = CancellationToken::new();
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let ended = stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            ended.cancel();
        });
        eprintln!("agent: listening on {listen}");
        nova_kubernetes::agent::serve(listen, secrets.to_owned(), stop)
            .await
            .with_context(|| format!("the agent cannot listen on {listen}"))
    })?;
    // A store that does not answer must not keep the agent from ending.
    runtime.shutdown_background();
    Ok(Exit::Done)
}
