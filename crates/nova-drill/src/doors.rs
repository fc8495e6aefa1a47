//! The doors that applications use, and clients that write through them.

mod error;
pub(crate) mod kafka;
mod postgres;
mod posts;
mod redis;
mod requests;

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use nova_platform::endpoints::Endpoints;
use nova_platform::secrets::{Secrets, SecretsError};
use nova_platform::spec::Spec;

use crate::aim::Aim;
use crate::fault::Fault;
use crate::judge::Found;
use crate::record::Outcome;
use crate::store::Store;

pub use error::DoorError;

/// After this an answer no longer counts and the outcome is unknown: as long as the services wait.
const PATIENCE: Duration = Duration::from_secs(3);
/// A connection that takes longer will not come, with all that is said on it before the first operation.
const CONNECT: Duration = Duration::from_secs(1);
/// The address of a member that is gone may swallow packets instead of refusing them, and the next attempt leads elsewhere.
const REACH: Duration = Duration::from_millis(250);
/// Limit of making or reading everything that a run wrote.
const WHOLE: Duration = Duration::from_secs(60);

/// One store as clients meet it.
pub trait Door: Send + Sync {
    /// Which store.
    fn store(&self) -> Store;

    /// Makes what this run writes into, empty.
    fn prepare(&self, run: u32, writers: u16) -> BoxFuture<'_, Result<(), DoorError>>;

    /// One client. Connects when it first writes.
    fn client(&self, run: u32, writer: u16) -> Result<Box<dyn Client>, DoorError>;

    /// Everything that the store holds of this run.
    fn found(&self, run: u32, writers: u16) -> BoxFuture<'_, Result<Option<Found>, DoorError>>;

    /// Removes what this run wrote.
    fn remove(&self, run: u32, writers: u16) -> BoxFuture<'_, Result<(), DoorError>>;

    /// Removes what all runs share.
    fn leave(&self) -> BoxFuture<'_, Result<(), DoorError>>;
}

/// One client: one operation at a time.
pub trait Client: Send {
    /// Writes an id and says how that ended. Bounded in time; never repeats what may have been done already, unless it can
    /// be repeated without effect.
    fn write(&mut self, id: u64) -> BoxFuture<'_, Outcome>;
}

/// What doors are made from.
pub struct Site<'a> {
    /// The platform.
    pub spec: &'a Spec,
    /// Where it is met.
    pub endpoints: &'a Endpoints,
    /// Its passwords.
    pub secrets: &'a Secrets,
}

/// The stores whose clients notice that something happens to it; every one of them for a node. What is planned may not cost users a
/// request: of a drained node, those count as well.
#[must_use]
pub fn stores_of(aim: &Aim, fault: Fault) -> Vec<Store> {
    match aim {
        Aim::Component(_) => {
            let doors = aim.facts().map_or(&[][..], |facts| facts.doors);
            doors.iter().copied().map(Store::from).collect()
        }
        Aim::Node if fault == Fault::Drain => [&Store::JUDGED[..], &[Store::Requests]].concat(),
        Aim::Node | Aim::All => Store::JUDGED.to_vec(),
    }
}

/// Opens the door to a store; `component` is the service that [`Store::Requests`] go to.
///
/// # Errors
/// When a password is missing or a client cannot be made.
pub fn open(store: Store, component: &str, site: &Site<'_>) -> Result<Arc<dyn Door>, DoorError> {
    Ok(match store {
        Store::Postgres => Arc::new(postgres::Postgres::new(site)?),
        Store::Redis => Arc::new(redis::Redis::new(site)?),
        Store::Kafka => Arc::new(kafka::Kafka::new(site)?),
        Store::Posts => Arc::new(posts::Posts::new(site)?),
        Store::Requests => Arc::new(requests::Requests::new(component, site)?),
    })
}

/// One of the platform's passwords.
pub(crate) fn secret(site: &Site<'_>, name: &str) -> Result<String, SecretsError> {
    site.secrets.reveal(name).map(str::to_owned)
}

/// An HTTP client with connections of its own, as every application has them.
fn http() -> Result<reqwest::Client, DoorError> {
    reqwest::Client::builder()
        .no_proxy()
        .timeout(PATIENCE)
        .connect_timeout(REACH)
        .build()
        .map_err(DoorError::HttpClient)
}
