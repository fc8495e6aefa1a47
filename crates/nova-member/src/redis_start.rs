//! How a Redis server finds its role before it starts, so that a cold start never makes an empty or stale server master.
//!
//! The Sentinels remember who leads, so they decide: a server becomes master only when a majority of them answers and the
//! latest of them names it, and when it is empty, only if all others are known to be empty too. In every other case it is a
//! replica, or waits. Redis's own configuration from the last run counts for nothing. An empty server that waits answers
//! its peers, so that where nothing was ever written they need not guess. Data that it cannot load count for none.
//!
//! A master that died is replaced, and returns as a replica: if it led again, the Sentinels, which notice an absence of a second, might
//! replace it all the same, and for some ten seconds there would be two. Who knows that it is dead says so at once: the process
//! that saw it end, or else the one that is to become it. It returns when that is over everywhere: a Sentinel that still replaces it
//! would not notice that the others, who are done, make it master again.

mod data;
mod names;
mod source;

use std::convert::Infallible;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::address::HostPort;
use crate::error::StartError;
use crate::files::{make_directory, read_text, write};
use crate::place::Place;
use crate::redis_view::{View, answer_as_empty, replace_master};
use crate::start::{Start, exec};
use data::Data;
use source::Source;

const ROUND: Duration = Duration::from_millis(50);
const ANSWER: Duration = Duration::from_millis(500);
/// A replica that started before that, in seconds, has what the master had; at a cold start the master's own data are the latest.
const SETTLED: u64 = 10;
/// A replacement is waited for as long as Sentinels take to give one up (`failover_timeout`), and a little more.
const REPLACED_WITHIN: Duration = Duration::from_secs(12);

/// Becomes the Redis server of this place.
///
/// # Errors
/// When a name has no address, there is no role for it yet, or its program cannot run.
pub fn run(place: &Place) -> Result<Infallible, StartError> {
    let base = read_text(&place.config("base.conf"))?;
    let start = Start::resolved(place)?;
    let directory = place.data("redis");
    make_directory(&directory)?;
    let described = source::is_described(&base);
    let source = Source::find(&directory, described)?;
    let data = Data::look(&directory, source, &start.server)?;
    let role = find_role(&start, data, place.patience())?;
    if data == Data::Damaged {
        give_up_damaged(&start, &role, &directory)?;
    }
    let base = keep_data(&start, &base, described, source, &directory)?;
    source::mark(&directory, described)?;
    // Anew each time: Sentinel makes Redis rewrite it, with every setting in it as it was then.
    let settings = settings(&start, &base, place.data_setting("redis").as_str(), &role);
    write(&place.run().join("redis.conf"), &settings)?;
    exec(
        Command::new(&start.server).arg("redis.conf").current_dir(place.run()),
        &start.server,
    )
}

/// The server of this place has ended, and whoever calls this has seen it: it is replaced if it was master. Says what was done; `None`
/// when there was nothing to do. Takes a second or two at most.
///
/// # Errors
/// When it is not known who the others are.
pub fn died(place: &Place) -> Result<Option<String>, StartError> {
    let start = Start::resolved(place)?;
    let own = start.own.place();
    let view = View::ask_until(&start, ANSWER, |view| could_be_replaced(&own, view));
    Ok(could_be_replaced(&own, &view).then(|| ask_for_successor(&start, &view).1))
}

/// A master's is the last copy, as far as anybody knows: that is for a human to give up, whom Redis tells what to do.
fn give_up_damaged(start: &Start, role: &Role, directory: &Path) -> Result<(), StartError> {
    let own = &start.own.member;
    match role {
        Role::Master => {
            println!("nova: {own} cannot load its data, and nobody else has any: see what the server says of them")
        }
        Role::ReplicaOf(master) => {
            println!("nova: {own} cannot load its data, and {master} sends them anew: they are removed");
            Data::remove(directory)?;
        }
    }
    Ok(())
}

/// Sees to it that the server begins with the data that are there, whatever the settings say since, and says how it keeps them.
fn keep_data(
    start: &Start,
    base: &str,
    described: bool,
    source: Source,
    directory: &Path,
) -> Result<String, StartError> {
    let own = &start.own.member;
    if described && source == Source::Snapshot {
        source.adopt(directory)?;
        println!("nova: {own} has a snapshot and no append-only file as late: it begins one with the snapshot");
    }
    if source.keeps_appending(described) == described {
        return Ok(base.to_owned());
    }
    println!(
        "nova: {own} has no snapshot as late as its append-only file: it goes on with that until it is switched off"
    );
    // Of two the last counts.
    Ok(format!("{base}appendonly {}\n", source::word(true)))
}

/// The settings as described, and what only the start knows.
fn settings(start: &Start, base: &str, data: &str, role: &Role) -> String {
    let replica_of = match role {
        Role::Master => String::new(),
        Role::ReplicaOf(master) => format!("replicaof {} {}\n", master.host, master.port),
    };
    format!(
        "\
{base}requirepass {password}
masterauth {password}
replica-announce-ip {host}
replica-announce-port {port}
dir {data}
{replica_of}",
        password = start.password,
        host = start.own.host,
        port = start.own.port,
    )
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Role {
    Master,
    ReplicaOf(HostPort),
}

fn find_role(start: &Start, data: Data, patience: Duration) -> Result<Role, StartError> {
    let began = Instant::now();
    let empty = data != Data::Loadable;
    let mut said = String::new();
    if empty && let Err(error) = answer_as_empty(&start.bind, start.own.port) {
        println!("nova: {} cannot answer its peers: {error}", start.own.member);
    }
    let own = start.own.place();
    let mut asked = data == Data::Nothing;
    loop {
        let mut view = View::ask(start, ANSWER);
        if !asked && could_be_replaced(&own, &view) {
            asked = true;
            let (is_replaced, told) = ask_for_successor(start, &view);
            println!("nova: {told}");
            if is_replaced {
                continue;
            }
        }
        if began.elapsed() > REPLACED_WITHIN {
            view.forget_replacements();
        }
        let why_not = match decide(&own, empty, &view) {
            Ok((role, why)) => {
                println!("nova: {} starts as {}: {why}", start.own.member, name_of(&role));
                return Ok(role);
            }
            Err(why_not) => why_not,
        };
        if why_not != said {
            println!("nova: {} waits: {why_not}", start.own.member);
            said.clone_from(&why_not);
        }
        if began.elapsed() > patience {
            return Err(StartError::NoRole(why_not));
        }
        thread::sleep(ROUND);
    }
}

/// Whether the Sentinels name this server, do nothing about it, and have a replica to put in its place.
fn could_be_replaced(own: &HostPort, view: &View) -> bool {
    view.majority_names(own)
        && !view.is_being_replaced()
        && view
            .peers
            .iter()
            .flatten()
            .any(|peer| !peer.is_master && peer.up_for >= SETTLED)
}

/// Whether a Sentinel does it, and what to say of that.
fn ask_for_successor(start: &Start, view: &View) -> (bool, String) {
    let own = &start.own.member;
    match replace_master(start, view, ANSWER) {
        Ok(()) => (true, format!("{own} was master and is dead: a Sentinel replaces it")),
        Err(error) => (
            false,
            format!("{own} was master and is dead, and no Sentinel replaces it: {error}"),
        ),
    }
}

fn name_of(role: &Role) -> String {
    match role {
        Role::Master => "master".to_owned(),
        Role::ReplicaOf(master) => format!("replica of {master}"),
    }
}

/// The role and why it is that one, or why there is none yet.
fn decide(own: &HostPort, empty: bool, view: &View) -> Result<(Role, &'static str), String> {
    let answers = view.sentinels.iter().flatten().count();
    let peers = || view.peers.iter().flatten();
    let Some(named) = view.named_by_majority() else {
        let leading = peers()
            .find(|peer| peer.is_master)
            .map(|peer| Role::ReplicaOf(peer.place.clone()));
        return leading
            .map(|role| (role, "it leads, and too few Sentinels answer to know better"))
            .ok_or_else(|| {
                let all = view.sentinels.len();
                format!("{answers} of {all} Sentinels answer, and only a majority can name a master")
            });
    };
    if named.master != *own {
        if view.is_replacing(own) {
            return Err("a Sentinel has not finished with replacing this server".to_owned());
        }
        let master_is_up = peers().any(|peer| peer.is_master && peer.place == named.master);
        return if !empty || master_is_up {
            Ok((Role::ReplicaOf(named.master.clone()), "the Sentinels name it"))
        } else {
            // A Sentinel that has to choose among replicas may otherwise choose this one.
            Err(format!(
                "{} does not lead yet, and an empty replica must not be chosen in its place",
                named.master
            ))
        };
    }
    if let Some(other) = peers().find(|peer| peer.is_master && peer.has_data) {
        return Err(format!(
            "the Sentinels name this server, but {} leads; they are about to agree",
            other.place
        ));
    }
    if view.is_being_replaced() {
        return Err("the Sentinels name this server, and are about to replace it".to_owned());
    }
    if !empty {
        return Ok((Role::Master, "the Sentinels name it, and it has its data"));
    }
    if peers().any(|peer| peer.has_data) {
        return Err("it has no data to load and others do; the Sentinels must name one of those".to_owned());
    }
    match view.peers.iter().filter(|peer| peer.is_none()).count() {
        0 => Ok((Role::Master, "the Sentinels name it, and nobody has any data")),
        silent => Err(format!(
            "it has no data to load, and {silent} of its peers, which may have some, do not answer"
        )),
    }
}

#[cfg(test)]
mod tests;
