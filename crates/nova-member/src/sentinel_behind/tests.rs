//! Who is behind and who is not.

use super::*;
use crate::address::HostPort;

fn names(number: u8, epoch: u64) -> SentinelView {
    SentinelView {
        master: HostPort::new(format!("127.0.0.{number}"), 6379),
        epoch,
        is_replacing: false,
    }
}

fn is_behind(own: &SentinelView, others: [Option<SentinelView>; 2]) -> bool {
    let view = View {
        sentinels: others.into(),
        peers: Vec::new(),
    };
    why_behind(own, &view).is_some()
}

#[test]
fn one_that_took_over_the_epoch_and_not_the_master_is_behind() {
    assert!(is_behind(&names(2, 2), [Some(names(1, 2)), Some(names(1, 2))]));
    assert!(
        is_behind(&names(2, 1), [Some(names(1, 2)), Some(names(1, 2))]),
        "it hears nothing of the others"
    );
}

#[test]
fn whom_only_some_contradict_or_who_knows_better_is_not() {
    let busy = |view| SentinelView {
        is_replacing: true,
        ..view
    };
    for (own, others, why) in [
        (names(1, 2), [Some(names(1, 2)), Some(names(1, 2))], "all agree"),
        (
            names(2, 2),
            [Some(names(1, 2)), None],
            "one may be as wrong as this one",
        ),
        (
            names(2, 2),
            [Some(names(1, 2)), Some(names(2, 2))],
            "one agrees with it",
        ),
        (
            names(2, 3),
            [Some(names(1, 2)), Some(names(1, 2))],
            "it learned of a later failover",
        ),
        (
            busy(names(2, 2)),
            [Some(names(1, 2)), Some(names(1, 2))],
            "it has not finished",
        ),
        (
            names(2, 2),
            [Some(names(1, 2)), Some(busy(names(1, 2)))],
            "the other has not finished",
        ),
    ] {
        assert!(!is_behind(&own, others), "{why}");
    }
}
