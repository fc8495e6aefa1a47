//! Which session a broker's own words tell of, and what a controller answers.
#![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

use std::fs;

use super::*;

const REGISTRATION: &str = "[BrokerLifecycleManager id=2] Successfully registered broker 2 with broker epoch 1403";

#[test]
fn the_last_registration_counts_until_it_is_given_up() {
    let session = Session { broker: 2, epoch: 1403 };
    let earlier = REGISTRATION.replace("1403", "7");
    let log = format!("{earlier}\n[BrokerLifecycleManager id=2] Incarnation x is starting\n{REGISTRATION}\nready\n");
    assert_eq!(last_session(&log), Some(session));
    let ends = "[BrokerLifecycleManager id=2] Beginning controlled shutdown.";
    assert_eq!(last_session(&format!("{log}{ends}\n")), None);
    assert_eq!(last_session(&format!("{ends}\n{log}")), Some(session));
    assert_eq!(last_session(""), None);
    // Cut off in the middle of a line.
    assert_eq!(last_session("Successfully registered broker 2 with broker ep"), None);
}

#[test]
fn the_last_heartbeat_asks_to_be_fenced_in_that_session() {
    let sent = Session { broker: 2, epoch: 1403 }.last_heartbeat().framed();
    let header = 4 + 2 + 2 + 4 + 2 + "nova".len() + 1;
    let wanted = [
        &2_i32.to_be_bytes()[..],
        &1403_i64.to_be_bytes(),
        &(-1_i64).to_be_bytes(),
        &[1, 0, 0],
    ]
    .concat();
    assert_eq!(&sent[header..], wanted);
}

fn answer(error: i16, is_fenced: u8) -> Vec<u8> {
    let head = [0, 0, 0, 1, 0, 0, 0, 0, 0];
    [&head[..], &error.to_be_bytes(), &[1, is_fenced, 0, 0]].concat()
}

#[test]
fn a_controller_is_understood() {
    assert_eq!(understand(&answer(0, 1)), Some(Ok(Fenced::Done)));
    assert_eq!(understand(&answer(STALE_BROKER_EPOCH, 0)), Some(Ok(Fenced::Gone)));
    assert_eq!(understand(&answer(BROKER_ID_NOT_REGISTERED, 0)), Some(Ok(Fenced::Gone)));
    for (error, is_fenced) in [(0, 0), (41, 1)] {
        assert!(matches!(understand(&answer(error, is_fenced)), Some(Err(_))));
    }
    assert_eq!(understand(&[0, 0, 0, 1, 0]), None);
}

#[test]
fn who_is_refused_says_by_whom_and_ends_in_time() {
    let root = tempfile::tempdir().unwrap();
    let place = Place::Directory(root.path().to_owned());
    assert_eq!(Fence::of_last_life(&place).unwrap(), None);
    fs::write(session_log(&place), REGISTRATION).unwrap();
    // Nobody listens at this port while it is bound.
    let bound = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = bound.local_addr().unwrap().port();
    let start = format!(
        r#"{{"java": "", "options": [], "format": [], "controllers": [{{"host": "127.0.0.1", "port": {port}}}]}}"#
    );
    fs::write(root.path().join("start.json"), start).unwrap();
    let fence = Fence::of_last_life(&place).unwrap().unwrap();
    let error = fence.end_session(Duration::ZERO, || true).unwrap_err();
    assert!(error.contains(&format!("127.0.0.1:{port}: ")), "{error}");
    let error = fence.end_session(Duration::from_secs(60), || false).unwrap_err();
    assert!(error.contains("not wanted"), "{error}");
}
