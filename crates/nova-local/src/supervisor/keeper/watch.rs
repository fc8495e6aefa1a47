//! Looks at members that run: whether a Sentinel has been left behind by the others ([`nova_member::sentinel_behind`]), and what an etcd
//! member cannot see to itself ([`nova_member::etcd_watch`]).

use std::future::pending;
use std::path::PathBuf;
use std::time::Duration;

use nova_member::Place;
use nova_member::etcd_watch::Watch;
use nova_member::sentinel_behind::{Behind, EVERY};
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::House;

/// Returns, with the reason, when the member is a Sentinel that must be started anew; never for any other. Dropping it at any time does
/// no harm.
pub(super) async fn left_behind(house: &House, member: &str) -> String {
    if let Some(directory) = house.record(member).and_then(|record| record.launch.etcd) {
        return see_to_etcd(member, directory).await;
    }
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

/// Never returns. Dropped in the middle of a look, that look ends by itself; whatever it was about to do is done by the next one.
async fn see_to_etcd(member: &str, directory: PathBuf) -> String {
    let place = Place::Directory(directory);
    let mut watch = Watch::default();
    loop {
        let place = place.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let look = watch.look(&place);
            (watch, look)
        });
        let pause = match looked.await {
            Ok((before, look)) => {
                watch = before;
                if let Some(told) = look.told {
                    tracing::info!(member, "{told}");
                }
                look.pause
            }
            Err(_) => {
                watch = Watch::default();
                Duration::from_secs(1)
            }
        };
        sleep(pause).await;
    }
}
