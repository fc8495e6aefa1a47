//! Clients that write and keep the ledger while somebody else breaks things: a drill whose fault comes from outside.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::doors::{self, Door, Site, Store};
use crate::error::DrillError;
use crate::fault::Fault;
use crate::ledger::{Begin, Entry, Ledger, Line};
use crate::load::{Load, Rate};
use crate::now_ms;
use crate::report::{DrillReport, RunReport, StoreReport};

/// Acknowledgements that each writer must have before the watch counts as begun, and again before it ends.
const SETTLED: u64 = 10;
/// Time within which writers must get going on a healthy platform.
const WARM_UP: Duration = Duration::from_secs(30);
/// Time within which writers must be acknowledged again at the end.
const WRITE_AGAIN: Duration = Duration::from_secs(120);
/// There is one run.
const RUN: u32 = 1;
/// What a watch is about, as a report's component.
const WATCHED: &str = "all";

/// How clients write, and for how long.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Settings {
    /// Whom they write to.
    pub stores: Vec<Store>,
    /// A service that is asked as well.
    pub service: Option<String>,
    /// Clients a store.
    pub writers: u16,
    /// Operations a second a store; the stores' defaults for `None`.
    pub rate: Option<u32>,
    /// How long they write, unless ended earlier.
    pub lasts: Duration,
}

/// Writes until the time is over or `end` is cancelled, then judges what every store holds. `writing` is called once every
/// client was acknowledged: what is broken from then on is measured.
///
/// # Errors
/// When clients do not get going, the ledger breaks, or a store cannot be read at the end. A client that is not acknowledged
/// again within two minutes after the end shows in the report as one that did not recover.
pub async fn watch(
    site: &Site<'_>,
    settings: &Settings,
    ledger: &Ledger,
    end: &CancellationToken,
    writing: impl FnOnce(),
) -> Result<DrillReport, DrillError> {
    let failed = DrillError::Failed;
    let written = settings.stores.iter().map(|store| (*store, ""));
    let asked = settings
        .service
        .iter()
        .map(|service| (Store::Requests, service.as_str()));
    let open = |(store, service)| doors::open(store, service, site);
    let doors: Vec<Arc<dyn Door>> = written
        .chain(asked)
        .map(open)
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    for door in &doors {
        door.prepare(RUN).await.map_err(failed)?;
    }
    let rate = Rate {
        writers: settings.writers,
        per_second: settings.rate,
    };
    let load = Load::start(RUN, &doors, rate, ledger).map_err(failed)?;
    load.progress(SETTLED, WARM_UP).await.map_err(failed)?;
    let at = now_ms();
    ledger.append(Line::Begin {
        begin: Begin {
            run: RUN,
            component: WATCHED.to_owned(),
            fault: Fault::Watch,
            members: Vec::new(),
            at,
            budgets: Vec::new(),
        },
    });
    writing();
    let broken = ledger.broken();
    tokio::select! {
        () = sleep(settings.lasts) => {}
        () = end.cancelled() => {}
        () = broken.cancelled() => {}
    }
    ledger.check().map_err(|error| failed(error.to_string()))?;
    // A writer that hangs at the end is found by its missing acknowledgement in the report.
    let again = load.progress(SETTLED, WRITE_AGAIN).await;
    let entries = load.end().await.map_err(failed)?;
    let mut stores = Vec::new();
    for door in &doors {
        let found = door.found(RUN, settings.writers).await.map_err(failed)?;
        let of_store: Vec<&Entry> = entries.iter().filter(|entry| entry.store == door.store()).collect();
        let mut report = StoreReport::of(door.store(), &of_store, found.as_ref(), at);
        if again
            .as_ref()
            .is_err_and(|stuck| stuck.contains(&door.store().to_string()))
        {
            report.rto_ms = None;
        }
        stores.push(report);
    }
    for door in &doors {
        // What stays does no harm, and the report matters more.
        let _ = door.remove(RUN, settings.writers).await;
        let _ = door.leave().await;
    }
    let report = RunReport::of(RUN, Vec::new(), None, stores);
    ledger.append(Line::Judged {
        judged: Box::new(report.clone()),
    });
    Ok(DrillReport::of(WATCHED, Fault::Watch, vec![report], &[]))
}
