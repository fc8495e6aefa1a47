//! Real members of etcd that grow, shrink, lose what they have and come back: there is one cluster at every moment, and what was
//! acknowledged is there.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/etcd.rs"]
mod etcd;

use std::collections::BTreeSet;
use std::time::Duration;

use nova_member::etcd_api::At;
use nova_member::etcd_leave::leave;
use nova_member::etcd_start::{FORMS, LEAVES};
use nova_member::hand_over::{HandOverError, Store, before_end};

use etcd::{Platform, until};

/// Who is in the cluster with a vote, as each of these members says, if they all say the same.
fn agreed(platform: &Platform, members: &[u16]) -> Option<(u64, BTreeSet<String>)> {
    let mut seen = None;
    for member in members {
        let at = platform.client(*member);
        let cluster = At(&at).cluster().ok()?;
        let voters = cluster
            .members
            .iter()
            .map(|member| {
                format!(
                    "{}{}",
                    member.name,
                    if member.is_learner { " without a vote" } else { "" }
                )
            })
            .collect();
        let found = (cluster.id, voters);
        if seen.get_or_insert_with(|| found.clone()) != &found {
            return None;
        }
    }
    seen
}

/// Waits until these members are one cluster of exactly themselves, and returns its number.
fn one_cluster(platform: &Platform, members: &[u16]) -> u64 {
    let names: BTreeSet<String> = members.iter().map(|member| format!("etcd-{member}")).collect();
    let mut id = 0;
    until(platform, "one cluster", || match agreed(platform, members) {
        Some((cluster, voters)) if voters == names => {
            id = cluster;
            true
        }
        _ => false,
    });
    id
}

#[test]
fn one_becomes_three_and_one_again_under_writes() {
    let mut platform = Platform::new(1);
    platform.keep(1);
    let before = one_cluster(&platform, &[1]);
    let writer = platform.writes(3);
    platform.describe(3);
    platform.keep(2);
    platform.keep(3);
    assert_eq!(one_cluster(&platform, &[1, 2, 3]), before, "a second cluster");
    let written = writer.count();
    until(&platform, "more writes", || writer.count() > written + 20);

    let gone = ["etcd-2".to_owned(), "etcd-3".to_owned()];
    for name in &gone {
        platform.put(name, LEAVES, "");
    }
    let mut out = leave(&platform.addresses(&[1]), &gone).unwrap();
    out.sort();
    assert_eq!(out, gone);
    assert_eq!(
        leave(&platform.addresses(&[1]), &gone).unwrap(),
        [""; 0],
        "it is safe to repeat"
    );
    platform.describe(1);
    platform.stop(2);
    platform.stop(3);
    assert_eq!(one_cluster(&platform, &[1]), before);
    let acknowledged = writer.end();
    let lost: Vec<&String> = acknowledged
        .iter()
        .filter(|key| platform.read(1, key).is_none())
        .collect();
    assert!(
        acknowledged.len() > 20 && lost.is_empty(),
        "{} of {}: {lost:?}",
        lost.len(),
        acknowledged.len()
    );
}

#[test]
fn a_leader_that_is_to_end_hands_over_where_somebody_can_take_over() {
    let mut platform = Platform::new(3);
    (1..=3).for_each(|member| platform.keep(member));
    one_cluster(&platform, &[1, 2, 3]);
    let leader = |platform: &Platform| {
        let led_by = At(&platform.client(1)).status().unwrap().leader;
        (1..=3).find(|member| platform.id(*member) == led_by)
    };
    let first = leader(&platform).unwrap();
    let follower = if first == 1 { 2 } else { 1 };
    assert_eq!(before_end(Store::Etcd, &platform.place(follower)).unwrap(), None);
    let told = before_end(Store::Etcd, &platform.place(first)).unwrap().unwrap();
    let second = leader(&platform).unwrap();
    assert_ne!(second, first);
    assert_eq!(told, format!("etcd-{first} leads etcd no more: etcd-{second} does"));

    let mut alone = Platform::new(1);
    alone.keep(1);
    one_cluster(&alone, &[1]);
    let refused = before_end(Store::Etcd, &alone.place(1));
    assert!(matches!(refused, Err(HandOverError::NoSuccessor)), "{refused:?}");
    alone.stop(1);
    assert_eq!(
        before_end(Store::Etcd, &alone.place(1)).unwrap(),
        None,
        "one that is gone leads nobody"
    );
}

#[test]
fn whatever_a_member_lost_it_gets_back() {
    let mut platform = Platform::new(3);
    (1..=3).for_each(|member| platform.keep(member));
    let before = one_cluster(&platform, &[1, 2, 3]);
    platform.write("kept", "before");
    for harm in ["everything", "member", "log", "state", "half of the log"] {
        platform.kill_with(2, harm);
        assert_eq!(one_cluster(&platform, &[1, 2, 3]), before, "{harm}");
        until(&platform, harm, || {
            platform.read(2, "kept").as_deref() == Some("before")
        });
    }
    assert!(platform.log(2).contains("etcd.aside-"), "{}", platform.log(2));
}

#[test]
fn a_member_that_was_removed_comes_back_as_a_new_one() {
    let mut platform = Platform::new(3);
    (1..=3).for_each(|member| platform.keep(member));
    let before = one_cluster(&platform, &[1, 2, 3]);
    let old = platform.id(3);
    let at = platform.client(1);
    until(&platform, "removed", || {
        nova_member::etcd_api::At(&at).remove(old).is_ok()
    });
    until(&platform, "joined", || {
        one_cluster(&platform, &[1, 2, 3]) == before && platform.id(3) != old
    });
}

#[test]
fn without_data_and_without_the_others_it_waits_and_forms_nothing() {
    let mut platform = Platform::new(3);
    (1..=3).for_each(|member| platform.keep(member));
    let before = one_cluster(&platform, &[1, 2, 3]);
    platform.write("kept", "before");
    // What is to be kept is known to be committed only by what follows it, where one goes on alone.
    platform.write("later", "before");
    platform.write("later", "before");
    (1..=3).for_each(|member| platform.stop(member));
    platform.lose(2);
    platform.lose(3);
    platform.keep(2);
    platform.keep(3);
    until(&platform, "it says for whom", || {
        [2, 3].iter().all(|member| {
            let log = platform.log(*member);
            log.contains("waits: it has no data") && log.contains("etcd-1 does not answer")
        })
    });
    for _ in 0..10 {
        assert_eq!(agreed(&platform, &[2]), None);
        std::thread::sleep(Duration::from_millis(100));
    }
    // Nor with the one that has data: one of three is no quorum.
    platform.keep(1);
    until(&platform, "it is seen", || {
        platform.log(2).contains("etcd-1 has data, and no quorum")
    });
    assert_eq!(agreed(&platform, &[1]), None);
    // Told to, that one goes on alone, and the others join it.
    platform.put("etcd-1", FORMS, "");
    platform.kill(1);
    one_cluster(&platform, &[1, 2, 3]);
    until(&platform, "kept", || {
        platform.read(3, "kept").as_deref() == Some("before")
    });
    assert_ne!(before, 0);
}

#[test]
fn when_all_is_lost_a_new_cluster_is_formed_only_when_told() {
    let mut platform = Platform::new(3);
    (1..=3).for_each(|member| platform.keep(member));
    let before = one_cluster(&platform, &[1, 2, 3]);
    (1..=3).for_each(|member| platform.stop(member));
    (1..=3).for_each(|member| platform.lose(member));
    (1..=3).for_each(|member| platform.keep(member));
    until(&platform, "they wait", || {
        (1..=3).all(|member| platform.log(member).contains("nova member recover etcd"))
    });
    assert_eq!(agreed(&platform, &[1]), None);
    (1..=3).for_each(|member| platform.put(&format!("etcd-{member}"), FORMS, ""));
    assert_eq!(
        one_cluster(&platform, &[1, 2, 3]),
        before,
        "the same names make the same number"
    );
    until(&platform, "used up", || {
        (1..=3).all(|member| !platform.has(member, FORMS))
    });
}

#[test]
fn a_join_that_was_cut_short_is_taken_up() {
    let mut platform = Platform::new(1);
    platform.keep(1);
    let before = one_cluster(&platform, &[1]);
    // Added, and killed before it started; then killed again before it had its vote.
    platform.describe(3);
    let at = platform.client(1);
    until(&platform, "added", || {
        nova_member::etcd_api::At(&at)
            .add_learner(&platform.peer_url(2))
            .is_ok()
    });
    platform.keep_without_watch(2);
    platform.keep(3);
    until(&platform, "it runs", || platform.is_up(2));
    platform.kill(2);
    until(&platform, "the other one waits", || {
        platform.log(3).contains("etcd-2 joins before it")
    });
    platform.watch(2);
    assert_eq!(one_cluster(&platform, &[1, 2, 3]), before);
}

#[test]
fn a_full_one_has_room_again_when_only_the_past_took_it() {
    let mut platform = Platform::new(3);
    (1..=3).for_each(|member| platform.keep(member));
    one_cluster(&platform, &[1, 2, 3]);
    // Sixteen times a megabyte of the same key: one of them is the present.
    let large = "x".repeat(1 << 20);
    until(&platform, "full", || !platform.try_write("large", &large));
    until(&platform, "room", || platform.try_write("small", "after"));
    until(&platform, "it is said", || {
        (1..=3).any(|member| platform.log(member).contains("etcd was full and has room again"))
    });
}
