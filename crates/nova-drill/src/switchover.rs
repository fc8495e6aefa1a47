//! Planned changes of leader, asked for as an operator would: Patroni's REST API, a Sentinel, Kafka's own requests.

mod error;
mod kafka;
mod postgres;
mod redis;

use std::time::Duration;

use futures::FutureExt;
use nova_member::hand_over::HandOverError;
use nova_platform::components::{ComponentId, Switchover, facts};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::doors::Site;

pub use error::{Refusal, Refusals, SwitchoverError};

/// Patroni answers when the change is done.
const LIMIT: Duration = Duration::from_secs(60);

/// Asks for it; `leader` is who leads now.
pub(crate) async fn ask(component: &ComponentId, leader: &str, site: &Site<'_>) -> Result<(), SwitchoverError> {
    let asked = async {
        match facts(component).drill.and_then(|facts| facts.switchover) {
            Some(Switchover::Patroni) => postgres::switch(leader, site).await,
            Some(Switchover::Partitions) => kafka::switch(leader, site).await,
            Some(Switchover::Sentinel) => redis::switch(leader, site).await,
            None => Err(SwitchoverError::NoLeader {
                component: component.clone(),
            }),
        }
    };
    // A future of its own: what awaits this is deep enough already for the compiler.
    let asked = asked.boxed();
    match timeout(LIMIT, asked).await {
        Ok(result) => result,
        Err(_) => Err(SwitchoverError::TimedOut {
            component: component.clone(),
            within: LIMIT,
        }),
    }
}

/// Waits, without keeping anybody else from working, until `hand_over` has handed over what `leader` leads.
async fn done(
    leader: &str,
    hand_over: impl FnOnce() -> Result<(), HandOverError> + Send + 'static,
) -> Result<(), SwitchoverError> {
    let failed = |error| SwitchoverError::HandOver {
        leader: leader.to_owned(),
        error,
    };
    spawn_blocking(hand_over)
        .await
        .map_err(SwitchoverError::Thread)?
        .map_err(failed)
}
