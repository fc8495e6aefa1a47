//! cdc-service: what services wrote into PostgreSQL's log with their changes is published in Kafka, once, in order, and only what no
//! failover can undo.
//!
//! Of its members one works, which owns the replication slot; the others stand by.
//! - `publisher` is a member's life: stand by, own, publish, and again after whatever went wrong;
//! - `session` is one ownership, step by step; `judge` decides where it goes on, `assemble` what is published together: both
//!   without I/O;
//! - `source` is PostgreSQL: the slot, the stream, what the synchronous standbys have; `kafka` the other side;
//! - `state` is what a member says of itself, `failpoint` lets tests break it at each step.
//!
//! docs/events.md has the guarantees, docs/decisions/0015 the reasons.

pub mod assemble;
mod config;
mod failpoint;
pub mod judge;
mod kafka;
mod publisher;
mod routes;
mod session;
mod source;
mod state;

use std::sync::Arc;

use nova_service::Service;

pub use config::{Config, EventsConfig};
pub use failpoint::Failpoint;

/// The service's name.
pub const NAME: &str = "cdc-service";

/// The service, ready to run. Must be called inside the runtime.
///
/// # Errors
/// When a setting makes no sense.
pub fn service(config: Config) -> anyhow::Result<Service> {
    let state = Arc::new(state::State::new());
    let (server, shown) = (config.server.clone(), state.clone());
    Ok(Service::new(NAME, env!("CARGO_PKG_VERSION"), server)
        .state(shown.part())
        .background("publisher", move |stop| publisher::run(config, state, stop))
        .routes(routes::router(shown)))
}
