//! What of an earlier life a Sentinel keeps.

use super::*;
use crate::redis_view::SentinelView;

fn address(kind: &str, number: u8, port: u16) -> Address {
    Address {
        member: format!("{kind}-{number}"),
        host: format!("127.0.0.{number}"),
        port,
    }
}

fn start() -> Start {
    Start {
        server: "/bin/redis-server".into(),
        own: address("sentinel", 1, 26379),
        bind: "0.0.0.0".into(),
        servers: [1, 2].map(|number| address("redis", number, 6379)).into(),
        sentinels: [1, 2].map(|number| address("sentinel", number, 26379)).into(),
        quorum: 2,
        password: "p".into(),
        sentinel_password: "s".into(),
    }
}

const LEARNED: &str = "\
sentinel monitor nova 127.0.0.2 6379 1
sentinel down-after-milliseconds nova 60000
sentinel config-epoch nova 4
sentinel leader-epoch nova 5
sentinel current-epoch 5
sentinel known-replica nova 127.0.0.1 6379
sentinel known-replica nova 127.0.0.9 6379
sentinel known-sentinel nova 127.0.0.2 26379 2f00
sentinel known-sentinel nova 127.0.0.9 26379 9f00
";

#[test]
fn epochs_and_living_peers_are_kept_and_settings_are_new() {
    let master = monitored(LEARNED, &[], &start().servers).expect("it is ours");
    let text = merge(
        &start(),
        "sentinel down-after-milliseconds nova 1000\n",
        LEARNED,
        &master,
    );
    assert_eq!(
        text,
        "\
sentinel monitor nova 127.0.0.2 6379 2
sentinel down-after-milliseconds nova 1000
requirepass s
sentinel sentinel-pass s
sentinel announce-ip 127.0.0.1
sentinel announce-port 26379
sentinel auth-pass nova p
sentinel config-epoch nova 4
sentinel leader-epoch nova 5
sentinel current-epoch 5
sentinel known-sentinel nova 127.0.0.2 26379 2f00
sentinel known-replica nova 127.0.0.1 6379
"
    );
}

#[test]
fn a_master_that_is_no_longer_ours_is_forgotten() {
    let learned = "sentinel monitor nova 127.0.0.9 6379 2\n";
    assert_eq!(monitored(learned, &[], &start().servers), None);
    // Nor does it help to know that it was a member which there is no longer.
    let before = [address("redis", 9, 6379)];
    assert_eq!(monitored(learned, &before, &start().servers), None);
    assert_eq!(monitored("", &[], &start().servers), None);
}

#[test]
fn a_master_that_has_another_address_since_is_the_same_master() {
    let at = |member: &str, host: &str| Address {
        member: member.into(),
        host: host.into(),
        port: 6379,
    };
    let before = [at("redis-1", "10.0.0.1"), at("redis-2", "10.0.0.2")];
    // The addresses went round: the first one's is the second one's now.
    let now = [at("redis-1", "10.0.0.3"), at("redis-2", "10.0.0.1")];
    let learned = |host| format!("sentinel monitor nova {host} 6379 2\n");
    let at = |host| Some(HostPort::new(host, 6379));
    assert_eq!(monitored(&learned("10.0.0.2"), &before, &now), at("10.0.0.1"));
    assert_eq!(monitored(&learned("10.0.0.1"), &before, &now), at("10.0.0.3"));
    assert_eq!(monitored(&learned("10.0.0.1"), &[], &now), at("10.0.0.1"));
}

#[test]
fn one_that_was_left_behind_believes_the_others() {
    let names = |number: u8, epoch| {
        Some(SentinelView {
            master: HostPort::new(format!("127.0.0.{number}"), 6379),
            epoch,
            is_replacing: false,
        })
    };
    let agreed = |sentinels: [Option<SentinelView>; 2]| {
        let view = View {
            sentinels: sentinels.into(),
            peers: Vec::new(),
        };
        agreed(LEARNED, &view).map(|master| master.host)
    };
    // It learned of epoch 4.
    assert_eq!(agreed([names(1, 4), names(1, 4)]).as_deref(), Some("127.0.0.1"));
    assert_eq!(agreed([names(1, 5), names(1, 5)]).as_deref(), Some("127.0.0.1"));
    assert_eq!(agreed([names(1, 3), names(1, 3)]), None, "what it learned is later");
    assert_eq!(agreed([names(1, 5), None]), None, "one alone may be behind itself");
    assert_eq!(agreed([names(1, 5), names(2, 5)]), None, "they do not agree");
}
