//! Names become addresses, or a clear error in time.
#![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::{all, all_by, choose};

const LONG: Duration = Duration::from_secs(60);

fn hosts(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn addresses(all: &[&str]) -> io::Result<Vec<SocketAddr>> {
    Ok(all
        .iter()
        .map(|address| SocketAddr::new(address.parse().unwrap(), 0))
        .collect())
}

#[test]
fn addresses_are_their_own_and_names_are_asked_for_once() {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    let found = all_by(hosts(&["127.0.0.9", "a", "a", "b"]), LONG, |host| {
        ASKED.fetch_add(1, Ordering::SeqCst);
        addresses(&[if host == "a" { "10.0.0.1" } else { "10.0.0.2" }])
    })
    .unwrap();
    let told: Vec<String> = found
        .iter()
        .map(|(host, address)| format!("{host}={address}"))
        .collect();
    assert_eq!(told, ["127.0.0.9=127.0.0.9", "a=10.0.0.1", "b=10.0.0.2"]);
    assert_eq!(ASKED.load(Ordering::SeqCst), 2);
    assert_eq!(
        all(hosts(&["localhost"]), LONG).unwrap()["localhost"].to_string(),
        "127.0.0.1"
    );
}

#[test]
fn a_name_that_comes_late_is_waited_for() {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    let found = all_by(hosts(&["late"]), LONG, |_| match ASKED.fetch_add(1, Ordering::SeqCst) {
        0 => Err(io::Error::other("not yet")),
        1 => addresses(&[]),
        _ => addresses(&["10.0.0.1"]),
    })
    .unwrap();
    assert_eq!(found["late"].to_string(), "10.0.0.1");
}

#[test]
fn names_without_an_address_are_told_in_time_however_slow_dns_is() {
    let patience = Duration::from_millis(300);
    let error = all_by(hosts(&["there", "lost", "silent"]), patience, |host| match host {
        "there" => addresses(&["10.0.0.1"]),
        "lost" => Err(io::Error::other("no such name")),
        _ => {
            std::thread::sleep(LONG);
            addresses(&["10.0.0.1"])
        }
    })
    .unwrap_err()
    .to_string();
    let expected = "after 300ms there is still no address for lost (no such name), silent (no answer yet);";
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn all_members_choose_the_same_address() {
    let chosen = |all: &[&str]| choose(all.iter().map(|address| address.parse().unwrap())).map(|it| it.to_string());
    let expected = Some("10.0.0.1".to_owned());
    assert_eq!(chosen(&["fd00::1", "10.0.0.2", "10.0.0.1"]), expected);
    assert_eq!(chosen(&["10.0.0.1", "fd00::1", "10.0.0.2"]), expected);
    assert_eq!(chosen(&["fd00::1"]).as_deref(), Some("fd00::1"));
    assert_eq!(chosen(&[]), None);
}
