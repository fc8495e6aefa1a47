//! Which role a server takes, for every situation that has lost somebody's data.

use super::*;
use crate::redis_view::{SentinelView, ServerView, View};

fn server(number: u8) -> HostPort {
    HostPort::new(format!("127.0.0.{number}"), 6379)
}

fn names(number: u8, epoch: u64) -> Option<SentinelView> {
    Some(SentinelView {
        master: server(number),
        epoch,
        is_replacing: false,
    })
}

fn peer(number: u8, is_master: bool, has_data: bool) -> Option<ServerView> {
    Some(ServerView {
        place: server(number),
        is_master,
        has_data,
        up_for: 60,
    })
}

fn view(sentinels: [Option<SentinelView>; 3], peers: [Option<ServerView>; 2]) -> View {
    View {
        sentinels: sentinels.into(),
        peers: peers.into(),
    }
}

/// What server 1 does.
fn role(empty: bool, view: &View) -> Option<Role> {
    decide(&server(1), empty, view).ok().map(|(role, _)| role)
}

#[test]
fn the_first_server_begins_where_nothing_was_written() {
    let fresh = view(
        [names(1, 0), names(1, 0), None],
        [peer(2, false, false), peer(3, false, false)],
    );
    assert_eq!(role(true, &fresh), Some(Role::Master));
}

#[test]
fn nobody_leads_without_a_majority_of_sentinels() {
    let minority = view([names(1, 0), None, None], [None, peer(3, false, true)]);
    assert_eq!(role(false, &minority), None);
    assert_eq!(role(true, &minority), None);
    let somebody_leads = view([None, None, None], [None, peer(3, true, true)]);
    assert_eq!(role(false, &somebody_leads), Some(Role::ReplicaOf(server(3))));
}

#[test]
fn the_master_of_old_follows_the_one_elected_since() {
    // One Sentinel forgot everything, one never heard of the failover.
    let elected = view([names(1, 0), names(2, 7), names(1, 6)], [None, None]);
    assert_eq!(role(false, &elected), Some(Role::ReplicaOf(server(2))));
}

#[test]
fn the_master_of_old_returns_when_every_sentinel_is_done_with_it() {
    let still = Some(SentinelView {
        is_replacing: true,
        ..names(1, 7).expect("a view")
    });
    let mut view = view([names(2, 7), names(2, 7), still], [peer(2, true, true), None]);
    assert_eq!(role(false, &view), None);
    let waits = |view: &View| decide(&server(3), false, view).is_err();
    assert!(!waits(&view), "nobody replaces server 3");
    // It has waited long enough.
    view.forget_replacements();
    assert_eq!(role(false, &view), Some(Role::ReplicaOf(server(2))));
}

#[test]
fn a_restarted_master_leads_again_with_its_data() {
    let known = view([names(1, 3), names(1, 3), None], [peer(2, false, true), None]);
    assert_eq!(role(false, &known), Some(Role::Master));
}

#[test]
fn a_master_that_is_being_replaced_waits_for_its_successor() {
    let replacing = Some(SentinelView {
        is_replacing: true,
        ..names(1, 3).expect("a view")
    });
    let mut view = view([names(1, 3), replacing, None], [peer(2, false, true), None]);
    assert_eq!(role(false, &view), None);
    assert!(!could_be_replaced(&server(1), &view), "that is under way");
    // Sentinels that found nobody: it has waited long enough.
    view.forget_replacements();
    assert_eq!(role(false, &view), Some(Role::Master));
}

#[test]
fn a_dead_master_is_replaced_where_there_is_a_replica_that_saw_it_live() {
    let named = || [names(1, 3), names(1, 3), None];
    let fresh = Some(ServerView {
        up_for: 2,
        ..peer(2, false, true).expect("a view")
    });
    for (peers, replaced, why) in [
        ([peer(2, false, true), None], true, "a replica is there"),
        ([None, None], false, "nobody is there"),
        (
            [fresh, None],
            false,
            "everything has just started: its own data are the latest",
        ),
        ([peer(2, true, true), None], false, "another leads already"),
    ] {
        assert_eq!(could_be_replaced(&server(1), &view(named(), peers)), replaced, "{why}");
    }
    let others = view([names(2, 4), names(2, 4), None], [peer(2, true, true), None]);
    assert!(!could_be_replaced(&server(1), &others), "it was no master");
    let minority = view([names(1, 3), None, None], [peer(2, false, true), None]);
    assert!(!could_be_replaced(&server(1), &minority), "the others may name another");
}

#[test]
fn an_empty_master_waits_for_a_server_with_data_to_be_elected() {
    let named = || [names(1, 0), names(1, 0), names(1, 0)];
    let one_has_it = view(named(), [peer(2, false, true), peer(3, false, false)]);
    assert_eq!(role(true, &one_has_it), None);
    // Nobody was ever elected and nobody answers: that may be a first start, or the second after.
    let all_are_silent = view(named(), [None, None]);
    assert_eq!(role(true, &all_are_silent), None);
    let one_is_silent = view(named(), [peer(2, false, false), None]);
    assert_eq!(role(true, &one_is_silent), None);
}

#[test]
fn an_empty_replica_does_not_stand_for_election() {
    let master_down = view([names(2, 1), names(2, 1), None], [None, peer(3, false, true)]);
    assert_eq!(role(true, &master_down), None);
    assert_eq!(role(false, &master_down), Some(Role::ReplicaOf(server(2))));
    let master_up = view([names(2, 1), names(2, 1), None], [peer(2, true, false), None]);
    assert_eq!(role(true, &master_up), Some(Role::ReplicaOf(server(2))));
}

#[test]
fn two_masters_are_never_made() {
    let promoted_meanwhile = view([names(1, 0), names(1, 0), names(1, 0)], [peer(2, true, true), None]);
    assert_eq!(role(false, &promoted_meanwhile), None);
}

#[test]
fn a_server_without_a_role_waits_as_long_as_it_may_and_says_what_for() {
    let at = |port| crate::address::Address {
        member: "redis-1".into(),
        host: "127.0.0.1".into(),
        port,
    };
    // Nobody listens on any of these ports, which need privileges.
    let start = Start {
        server: "/usr/bin/redis-server".into(),
        own: at(1),
        bind: "127.0.0.1".into(),
        servers: vec![at(1)],
        sentinels: vec![at(2), at(3)],
        quorum: 2,
        password: "p".into(),
        sentinel_password: "s".into(),
    };
    let error = find_role(&start, Data::Loadable, Duration::ZERO)
        .expect_err("nobody answers")
        .to_string();
    assert_eq!(
        error,
        "found no role in time: 0 of 2 Sentinels answer, and only a majority can name a master"
    );
}

#[test]
fn a_server_announces_where_it_is_met_and_not_what_it_listens_on() {
    let at = crate::address::Address {
        member: "redis-1".into(),
        host: "10.96.0.1".into(),
        port: 6379,
    };
    let start = Start {
        server: "/usr/bin/redis-server".into(),
        own: at.clone(),
        bind: "0.0.0.0".into(),
        servers: vec![at],
        sentinels: Vec::new(),
        quorum: 2,
        password: "p".into(),
        sentinel_password: "s".into(),
    };
    let master = settings(&start, "bind 0.0.0.0\n", "/data/redis", &Role::Master);
    assert_eq!(
        master,
        "\
bind 0.0.0.0
requirepass p
masterauth p
replica-announce-ip 10.96.0.1
replica-announce-port 6379
dir /data/redis
"
    );
    let replica = settings(&start, "", "data", &Role::ReplicaOf(HostPort::new("10.96.0.2", 6379)));
    assert!(replica.ends_with("dir data\nreplicaof 10.96.0.2 6379\n"), "{replica}");
}
