//! The clients of one run: they write, keep the ledger, and tell at the end what the stores hold. They run wherever the stores are
//! met: beside the tool, or inside a cluster.

mod error;
mod here;
pub mod wire;

use std::time::Duration;

use futures::future::BoxFuture;
use nova_platform::components::ComponentId;
use serde::{Deserialize, Serialize};

use crate::record::{Begin, Entry, StoreReport};
use crate::store::Store;

pub use crate::load::{Stuck, Unended};
pub use error::ClientsError;
pub use here::Here;

/// Acknowledgements that each client must have before the fault, and again after it.
const SETTLED: u64 = 10;
/// Time within which clients must get going on a healthy platform.
const WARM_UP: Duration = Duration::from_secs(30);
/// Time within which clients must be acknowledged again.
const WRITE_AGAIN: Duration = Duration::from_secs(120);

/// How the clients of one run write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Which run, from 1.
    pub run: u32,
    /// Whom they write to.
    pub stores: Vec<Store>,
    /// The service that is asked, where [`Store::Requests`] is among the stores.
    pub service: String,
    /// Clients a store.
    pub writers: u16,
    /// Operations a second a store; the stores' defaults for `None`.
    pub rate: Option<u32>,
}

/// What came of a run.
#[derive(Debug, Default)]
pub struct Outcomes {
    /// Every operation.
    pub entries: Vec<Entry>,
    /// Each store against what its clients were told.
    pub stores: Vec<StoreReport>,
    /// What of the run could not be removed from the stores.
    pub stays: Vec<String>,
}

/// Where clients run.
pub trait Clients: Sync {
    /// Starts those of a run, and returns once each was acknowledged.
    fn start(&self, request: Request) -> BoxFuture<'_, Result<Box<dyn Run + '_>, ClientsError>>;

    /// Removes what a run that was given up left in the stores; what stays is told.
    fn tidy(&self) -> BoxFuture<'_, Vec<String>>;
}

/// The clients of one run, writing. Those of a run that is dropped end by themselves.
pub trait Run: Send {
    /// Writes down that a fault begins, and returns when that is, in Unix milliseconds by the clients' clock; `begin` holds the
    /// tool's own.
    fn begin(&mut self, begin: Begin) -> BoxFuture<'_, Result<u64, ClientsError>>;

    /// Asks a leader to step down, as whoever plans it would, and returns when another one leads.
    fn switch(&mut self, component: &ComponentId, leader: &str) -> BoxFuture<'_, Result<(), ClientsError>>;

    /// Waits until every client was acknowledged again; otherwise names the stores whose were not.
    fn again(&mut self) -> BoxFuture<'_, Result<(), ClientsError>>;

    /// Ends the writing, looks at what the stores hold, and removes what was written.
    fn end<'a>(self: Box<Self>) -> BoxFuture<'a, Result<Outcomes, ClientsError>>
    where
        Self: 'a;
}
