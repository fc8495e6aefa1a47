//! What is decided, for each thing that a member can find.
#![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

use super::data::{Data, Identity};
use super::decide::{Own, Way, decide};
use super::view::{Seen, View};
use super::{Host, Members, Settings, Start};
use crate::address::HostPort;
use crate::etcd_api::{Cluster, Listed};

const CLUSTER: u64 = 0xc;

fn settings(members: usize) -> Settings {
    let host = |member: usize| Host {
        member: format!("etcd-{member}"),
        host: format!("127.0.0.{member}"),
    };
    Settings {
        start: Start {
            server: "etcd".into(),
            member: "etcd-2".into(),
            bind: "127.0.0.2".into(),
            arguments: Vec::new(),
            quota: 1,
            mark: None,
        },
        members: Members {
            token: "test".into(),
            client_port: 2379,
            peer_port: 2380,
            members: (1..=members).map(host).collect(),
        },
    }
}

fn own(data: Data) -> Own {
    Own {
        data,
        is_doubted: false,
        was_formed: false,
        may_form: false,
    }
}

fn whole() -> Data {
    Data::Whole(Identity {
        member: 2,
        cluster: CLUSTER,
    })
}

fn listed(id: u64, clients: &[&str]) -> Listed {
    Listed {
        id,
        name: format!("etcd-{id}"),
        peers: vec![format!("http://127.0.0.{id}:2380")],
        clients: clients.iter().map(|url| (*url).to_owned()).collect(),
        is_learner: false,
    }
}

fn serves(id: u64, members: &[u64]) -> Seen {
    let members = members.iter().map(|id| listed(*id, &["http://x:2379"])).collect();
    Seen::Serves(HostPort::new("127.0.0.1", 2379), Cluster { id, members })
}

fn view(seen: [Seen; 2]) -> View {
    let [one, three] = seen;
    View(vec![("etcd-1".into(), one), ("etcd-3".into(), three)])
}

fn names() -> Vec<String> {
    (1..=3).map(|member| format!("etcd-{member}")).collect()
}

#[test]
fn a_cluster_is_formed_only_when_nobody_has_data() {
    let decided = |seen| decide(&settings(3), &own(Data::Nothing), &view(seen));
    assert_eq!(decided([Seen::Empty(names()), Seen::Empty(names())]), Ok(Way::Form));
    let forming = |own: &[&str]| Seen::Alone(vec![listed(1, &[]), listed(2, own), listed(3, &[])]);
    assert_eq!(decided([forming(&[]), Seen::Empty(names())]), Ok(Way::Form));
    for (one, told) in [
        (Seen::Silent, "etcd-1 does not answer"),
        (
            Seen::Empty(vec!["etcd-1".into()]),
            "etcd-1 is described with other members",
        ),
        (Seen::Alone(vec![listed(1, &[])]), "etcd-1 has data, and no quorum"),
        // It was part of it once.
        (forming(&["http://127.0.0.2:2379"]), "etcd-1 has data, and no quorum"),
    ] {
        let why_not = decided([one, Seen::Empty(names())]).unwrap_err();
        assert!(why_not.ends_with(told), "{why_not}");
    }
    let before = Own {
        was_formed: true,
        ..own(Data::Nothing)
    };
    let nobody = view([Seen::Empty(names()), Seen::Empty(names())]);
    assert!(
        decide(&settings(3), &before, &nobody)
            .unwrap_err()
            .contains("nova member recover etcd")
    );
    let told = Own {
        may_form: true,
        ..before
    };
    assert_eq!(decide(&settings(3), &told, &nobody), Ok(Way::Form));
}

#[test]
fn a_quorum_decides_whom_it_knows() {
    let decided =
        |own: &Own, members: &[u64]| decide(&settings(3), own, &view([serves(CLUSTER, members), Seen::Silent]));
    let joins = |own: &Own, members: &[u64]| matches!(decided(own, members), Ok(Way::Join { .. }));
    assert_eq!(decided(&own(whole()), &[1, 2, 3]), Ok(Way::AsItIs));
    assert!(joins(&own(whole()), &[1, 3]), "it was removed");
    assert!(joins(&own(Data::Nothing), &[1]), "it is new");
    assert!(joins(&own(Data::Nothing), &[1, 2, 3]), "it lost everything");
    assert!(joins(&own(Data::Damaged("x".into())), &[1, 2, 3]));
    let doubted = Own {
        is_doubted: true,
        ..own(whole())
    };
    assert!(joins(&doubted, &[1, 2, 3]), "its data are of no use");
}

#[test]
fn without_a_quorum_data_are_started_and_never_given_up() {
    let alone = || view([Seen::Silent, Seen::Alone(Vec::new())]);
    let doubted = Own {
        is_doubted: true,
        ..own(whole())
    };
    assert_eq!(decide(&settings(3), &doubted, &alone()), Ok(Way::AsItIs));
    let told = Own {
        may_form: true,
        ..own(whole())
    };
    assert_eq!(decide(&settings(3), &told, &alone()), Ok(Way::Alone));
    assert!(decide(&settings(3), &own(Data::Damaged("x".into())), &alone()).is_err());
}

#[test]
fn two_clusters_are_not_made_worse() {
    let other = decide(&settings(3), &own(whole()), &view([serves(0xd, &[1]), Seen::Silent]));
    assert!(other.unwrap_err().contains("two clusters"));
    let split = || view([serves(0xd, &[1]), serves(CLUSTER, &[2, 3])]);
    assert_eq!(decide(&settings(3), &own(whole()), &split()), Ok(Way::AsItIs));
    assert!(
        decide(&settings(3), &own(Data::Nothing), &split())
            .unwrap_err()
            .contains("two clusters")
    );
}
