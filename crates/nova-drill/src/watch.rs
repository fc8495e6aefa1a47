//! Clients that write and keep the ledger while somebody else breaks things: a drill whose fault comes from outside.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::aim::Aim;
use crate::clients::{Clients, ClientsError, Outcomes, Request};
use crate::error::DrillError;
use crate::fault::Fault;
use crate::ledger::Ledger;
use crate::now_ms;
use crate::record::{Begin, Line, RunReport};

/// Clients write for that long or until `end` is cancelled; then every store is judged. `writing` is called once every client was
/// acknowledged: what is broken from then on is measured.
///
/// # Errors
/// When clients do not get going, the ledger breaks, or a store cannot be read at the end. A client that is not acknowledged
/// again within two minutes after the end shows in the report as one that did not recover.
pub async fn watch(
    clients: &dyn Clients,
    request: Request,
    lasts: Duration,
    ledger: &Ledger,
    end: &CancellationToken,
    writing: impl FnOnce(),
) -> Result<(), DrillError> {
    let watched = try_watch(clients, request, lasts, ledger, end, writing).await;
    if watched.is_err() {
        clients.tidy().await;
    }
    watched
}

async fn try_watch(
    clients: &dyn Clients,
    request: Request,
    lasts: Duration,
    ledger: &Ledger,
    end: &CancellationToken,
    writing: impl FnOnce(),
) -> Result<(), DrillError> {
    let number = request.run;
    let mut run = clients.start(request).await?;
    let begin = Begin {
        run: number,
        component: Aim::All,
        fault: Fault::Watch,
        members: Vec::new(),
        at: now_ms(),
        budgets: Vec::new(),
    };
    run.begin(begin).await?;
    writing();
    let broken = ledger.broken();
    tokio::select! {
        () = sleep(lasts) => {}
        () = end.cancelled() => {}
        () = broken.cancelled() => {}
    }
    ledger.check()?;
    let again = run.again().await;
    // What stays does no harm, and the report matters more.
    let Outcomes { mut stores, .. } = run.end().await?;
    for store in &mut stores {
        // A client that hangs at the end is found by its missing acknowledgement.
        if let Err(ClientsError::Stuck(stuck)) = &again
            && stuck.stores.contains(&store.store)
        {
            store.rto_ms = None;
        }
    }
    let report = RunReport::of(number, Vec::new(), None, stores);
    ledger.append(Line::Judged {
        judged: Box::new(report),
    });
    Ok(())
}
