//! From names to addresses, once, at the start.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::error::StartError;

/// How long names may take to resolve: DNS starts with the cluster, too.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(500);

/// The address of every host; one that is an address already is its own.
pub(crate) fn all(
    hosts: impl IntoIterator<Item = String>,
    patience: Duration,
) -> Result<BTreeMap<String, IpAddr>, StartError> {
    all_by(hosts, patience, |host| {
        (host, 0).to_socket_addrs().map(Iterator::collect)
    })
}

/// Asks for each name in a thread of its own, since the system's resolver knows no deadline. Threads that still wait end with the
/// process, or when it becomes the server.
fn all_by(
    hosts: impl IntoIterator<Item = String>,
    patience: Duration,
    ask: impl Fn(&str) -> io::Result<Vec<std::net::SocketAddr>> + Copy + Send + 'static,
) -> Result<BTreeMap<String, IpAddr>, StartError> {
    let began = Instant::now();
    let (mut known, mut missing) = (BTreeMap::new(), BTreeMap::new());
    let (answers, answer) = mpsc::channel();
    for host in BTreeSet::from_iter(hosts) {
        if let Ok(address) = host.parse() {
            known.insert(host, address);
            continue;
        }
        missing.insert(host.clone(), "no answer yet".to_owned());
        let answers = answers.clone();
        thread::spawn(move || {
            loop {
                let found = ask(&host).map(|found| choose(found.into_iter().map(|address| address.ip())));
                let is_found = matches!(found, Ok(Some(_)));
                if answers.send((host.clone(), found)).is_err() || is_found {
                    return;
                }
                thread::sleep(PAUSE);
            }
        });
    }
    while !missing.is_empty() {
        let left = patience.saturating_sub(began.elapsed());
        match answer.recv_timeout(left) {
            Ok((host, Ok(Some(address)))) => {
                missing.remove(&host);
                known.insert(host, address);
            }
            Ok((host, Ok(None))) => {
                missing.insert(host, "no address".to_owned());
            }
            Ok((host, Err(error))) => {
                missing.insert(host, error.to_string());
            }
            Err(_) => {
                let names = missing.iter().map(|(host, why)| format!("{host} ({why})"));
                return Err(StartError::NoAddress {
                    names: names.collect::<Vec<_>>().join(", "),
                    waited: patience,
                });
            }
        }
    }
    Ok(known)
}

/// The same one for every member that asks: IPv4 where there is any, then the lowest.
fn choose(addresses: impl Iterator<Item = IpAddr>) -> Option<IpAddr> {
    addresses.min_by_key(|address| (address.is_ipv6(), *address))
}

#[cfg(test)]
mod tests;
