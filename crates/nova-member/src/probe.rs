//! Whether a Redis server or a Sentinel is fit for use: what a container's readiness probe asks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use crate::error::StartError;
use crate::place::Place;
use crate::resp::{Connection, Reply};
use crate::start::Start;

const ANSWER: Duration = Duration::from_secs(1);

/// Asks a Redis server: it must have loaded its data, and a replica must be connected to its master.
///
/// # Errors
/// When it is not ready, with the reason.
pub fn redis(place: &Place) -> Result<(), StartError> {
    let start = Start::read(place)?;
    ask(&start, &start.password, |connection| {
        let role = connection.ask(&["ROLE"])?;
        Ok(is_connected(&role))
    })
}

/// Asks a Sentinel.
///
/// # Errors
/// When it is not ready, with the reason.
pub fn sentinel(place: &Place) -> Result<(), StartError> {
    let start = Start::read(place)?;
    ask(&start, &start.sentinel_password, |_| Ok(Ok(())))
}

pub(crate) fn ask(
    start: &Start,
    password: &str,
    further: impl FnOnce(&mut Connection) -> std::io::Result<Result<(), String>>,
) -> Result<(), StartError> {
    let host = reached_at(&start.bind);
    let answer = Connection::open(&host, start.own.port, password, ANSWER).and_then(|mut connection| {
        connection.ask(&["PING"])?;
        further(&mut connection)
    });
    answer
        .map_err(|error| error.to_string())
        .and_then(|ready| ready)
        .map_err(|reason| StartError::NotReady {
            member: start.own.member.clone(),
            place: format!("{host}:{}", start.own.port),
            reason,
        })
}

/// Where the probe, which runs beside the server, finds what listens on `bind`.
fn reached_at(bind: &str) -> String {
    match bind.parse() {
        Ok(IpAddr::V4(address)) if address.is_unspecified() => Ipv4Addr::LOCALHOST.to_string(),
        Ok(IpAddr::V6(address)) if address.is_unspecified() => Ipv6Addr::LOCALHOST.to_string(),
        _ => bind.to_owned(),
    }
}

/// What `ROLE` says of the link to the master; a master has none.
fn is_connected(role: &Reply) -> Result<(), String> {
    let word = |index: usize| role.list().get(index).and_then(Reply::text);
    match (word(0), word(3)) {
        (Some("master"), _) | (Some("slave"), Some("connected")) => Ok(()),
        (Some("slave"), Some(state)) => Err(format!("it is a replica whose link to the master is {state:?}")),
        _ => Err("it does not say which role it has".to_owned()),
    }
}

#[cfg(test)]
mod tests;
