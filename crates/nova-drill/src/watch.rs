//! Clients that write and keep the ledger while somebody else breaks things: a drill whose fault comes from outside.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::clients::{Clients, Outcomes, Request};
use crate::error::DrillError;
use crate::fault::Fault;
use crate::ledger::Ledger;
use crate::now_ms;
use crate::record::{Begin, Line, RunReport};

/// What a watch is about, as a report's component.
const WATCHED: &str = "all";

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
    let failed = DrillError::Failed;
    let number = request.run;
    let mut run = clients.start(request).await.map_err(failed)?;
    let begin = Begin {
        run: number,
        component: WATCHED.to_owned(),
        fault: Fault::Watch,
        members: Vec::new(),
        at: now_ms(),
        budgets: Vec::new(),
    };
    run.begin(begin).await.map_err(failed)?;
    writing();
    let broken = ledger.broken();
    tokio::select! {
        () = sleep(lasts) => {}
        () = end.cancelled() => {}
        () = broken.cancelled() => {}
    }
    ledger.check().map_err(|error| failed(error.to_string()))?;
    let again = run.again().await;
    // What stays does no harm, and the report matters more.
    let Outcomes { mut stores, .. } = run.end().await.map_err(failed)?;
    for store in &mut stores {
        // A client that hangs at the end is found by its missing acknowledgement.
        if again
            .as_ref()
            .is_err_and(|stuck| stuck.contains(&store.store.to_string()))
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
