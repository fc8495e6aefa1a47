//! What of an earlier life a Sentinel keeps.

use super::*;

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
    let master = monitored(LEARNED, &start().servers).expect("it is ours");
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
    assert_eq!(
        monitored("sentinel monitor nova 127.0.0.9 6379 2\n", &start().servers),
        None
    );
    assert_eq!(monitored("", &start().servers), None);
}
