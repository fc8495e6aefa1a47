//! Planned changes of leader, asked for as an operator would: Patroni's REST API, a Sentinel, Kafka's own requests.

mod kafka;
mod postgres;
mod redis;

use std::time::Duration;

use futures::FutureExt;
use tokio::time::timeout;

use crate::doors::Site;

/// Patroni answers when the change is done.
const LIMIT: Duration = Duration::from_secs(60);

/// Asks for it; `leader` is who leads now.
pub(crate) async fn ask(component: &str, leader: &str, site: &Site<'_>) -> Result<(), String> {
    let asked = async {
        match component {
            "postgres" => postgres::switch(leader, site).await,
            "kafka" => kafka::switch(leader, site).await,
            _ => redis::switch(leader, site).await,
        }
    };
    // A future of its own: what awaits this is deep enough already for the compiler.
    let asked = asked.boxed();
    match timeout(LIMIT, asked).await {
        Ok(result) => result,
        Err(_) => Err(format!(
            "the switchover of {component} was not done within {} s",
            LIMIT.as_secs()
        )),
    }
}
