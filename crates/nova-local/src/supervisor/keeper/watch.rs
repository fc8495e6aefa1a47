//! Sees whether a Sentinel has been left behind by the others: see [`nova_member::sentinel_behind`].

use std::future::pending;
use std::time::Duration;

use nova_member::{Place, sentinel_behind};
use tokio::time::{MissedTickBehavior, interval};

use super::House;

const EVERY: Duration = Duration::from_secs(5);
/// While a master changes, one Sentinel knows before the others; it takes them a second or two.
const TIMES: u32 = 3;

/// Returns, with the reason, when the member is a Sentinel that must be started anew; never for any other. Dropping it at any time does
/// no harm.
pub(super) async fn left_behind(house: &House, member: &str) -> String {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut times = 0;
    loop {
        ticks.tick().await;
        let Some(directory) = house.record(member).and_then(|record| record.launch.sentinel) else {
            return pending().await;
        };
        let place = Place::Directory(directory);
        match tokio::task::spawn_blocking(move || sentinel_behind::look(&place)).await {
            Ok(Ok(Some(reason))) => {
                times += 1;
                if times == TIMES {
                    return reason;
                }
            }
            // One that does not answer is not known to be behind.
            Ok(Ok(None) | Err(_)) | Err(_) => times = 0,
        }
    }
}
