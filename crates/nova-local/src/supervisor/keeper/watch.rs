//! Sees whether a Sentinel has been left behind by the others: see [`nova_member::sentinel_behind`].

use std::future::pending;

use nova_member::Place;
use nova_member::sentinel_behind::{Behind, EVERY};
use tokio::time::{MissedTickBehavior, interval};

use super::House;

/// Returns, with the reason, when the member is a Sentinel that must be started anew; never for any other. Dropping it at any time does
/// no harm.
pub(super) async fn left_behind(house: &House, member: &str) -> String {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut behind = Behind::default();
    loop {
        ticks.tick().await;
        let Some(directory) = house.record(member).and_then(|record| record.launch.sentinel) else {
            return pending().await;
        };
        let place = Place::Directory(directory);
        let looked = tokio::task::spawn_blocking(move || {
            let reason = behind.look(&place);
            (behind, reason)
        });
        behind = match looked.await {
            Ok((_, Some(reason))) => return reason,
            Ok((behind, None)) => behind,
            Err(_) => Behind::default(),
        };
    }
}
