//! Two members, one of which is killed again and again under writers.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use rand::RngExt;
use tokio::time::sleep;

use crate::support::Stage;
use crate::writers::{Writers, judge};

const KILLS: u32 = 30;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_often_members_die_each_event_is_published_once() {
    let stage = Stage::new().await;
    let mut members = [stage.member(&[]), stage.member(&[])];
    let writers = Writers::start(&stage.pool, 3);
    for round in 0..KILLS {
        sleep(Duration::from_millis(rand::rng().random_range(50..1200))).await;
        let which = rand::rng().random_range(0..2);
        if round % 6 == 5 {
            // Not dead, only silent, until the other works; and then it comes back.
            kill(members[which].id(), Signal::SIGSTOP).unwrap();
            sleep(Duration::from_millis(4500)).await;
            kill(members[which].id(), Signal::SIGCONT).unwrap();
        } else {
            members[which].kill();
            members[which] = stage.member(&[]);
        }
    }
    let acknowledged = writers.stop().await;
    let published = stage.until_probes(acknowledged.len()).await;
    judge(&acknowledged, &published);
    assert_eq!(stage.epochs().await.len(), 1, "no kill begins an epoch");
}
