//! What the Sentinels and the Redis servers say of each other at this moment.

use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::address::{Address, HostPort};
use crate::resp::{Connection, Reply};
use crate::start::{MASTER_NAME, Start};

/// What an empty server says that waits for its role.
const EMPTY: &str = "NOVAEMPTY this server has no data and waits for its role";

/// What a Sentinel calls a master that it replaces, or is about to.
const REPLACING: [&str; 2] = ["o_down", "failover_in_progress"];

/// How long servers keep whoever asks waiting: a Sentinel sends the promotion 0.13 to 0.26 s after it was asked for a failover.
const HELD_MS: &str = "350";
/// Longest wait for each step of telling them so.
const HOLD_PATIENCE: Duration = Duration::from_millis(100);

/// What one Sentinel says of the master.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SentinelView {
    pub(crate) master: HostPort,
    /// Which failover this stems from: the greater one is the later one.
    pub(crate) epoch: u64,
    /// Whether it is being replaced, or about to be.
    pub(crate) is_replacing: bool,
}

/// What one Redis server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerView {
    pub(crate) place: HostPort,
    pub(crate) is_master: bool,
    pub(crate) has_data: bool,
    /// Seconds since it started.
    pub(crate) up_for: u64,
}

/// Everybody's answer, `None` for who did not give one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) sentinels: Vec<Option<SentinelView>>,
    /// All Redis servers but the one that asks.
    pub(crate) peers: Vec<Option<ServerView>>,
}

/// An answer, and whose.
enum Heard {
    Sentinel(usize, Option<SentinelView>),
    Server(usize, Option<ServerView>),
}

impl View {
    /// Asks everybody but `start.own` at once. A Sentinel that names a server of another time, whose address none of today's has,
    /// counts as one that does not answer.
    pub(crate) fn ask(start: &Start, patience: Duration) -> Self {
        Self::ask_until(start, patience, |_| false)
    }

    /// The same, and returns as soon as what was answered is enough: the addresses of those that are gone may swallow packets, and whoever
    /// waits for them all waits for those.
    pub(crate) fn ask_until(start: &Start, patience: Duration, enough: impl Fn(&Self) -> bool) -> Self {
        let sentinels: Vec<&Address> = others(start, &start.sentinels).collect();
        let servers: Vec<&Address> = others(start, &start.servers).collect();
        let mut view = Self {
            sentinels: vec![None; sentinels.len()],
            peers: vec![None; servers.len()],
        };
        let (answers, answer) = mpsc::channel();
        // Each ends within a few times the patience, whether it is still heard or not.
        for (number, at) in sentinels.into_iter().cloned().enumerate() {
            let (answers, password) = (answers.clone(), start.sentinel_password.clone());
            thread::spawn(move || answers.send(Heard::Sentinel(number, ask_sentinel(&at, &password, patience))));
        }
        for (number, at) in servers.into_iter().cloned().enumerate() {
            let (answers, password) = (answers.clone(), start.password.clone());
            thread::spawn(move || answers.send(Heard::Server(number, ask_server(&at, &password, patience))));
        }
        drop(answers);
        let is_ours = |said: &SentinelView| start.servers.iter().any(|server| server.is_at(&said.master));
        while let Ok(heard) = answer.recv() {
            match heard {
                Heard::Sentinel(number, said) => view.sentinels[number] = said.filter(is_ours),
                Heard::Server(number, said) => view.peers[number] = said,
            }
            if enough(&view) {
                break;
            }
        }
        view
    }

    /// Asks these Sentinels at once, for one Sentinel of `all`; whom it does not know does not answer.
    pub(crate) fn of_sentinels(others: &[Address], all: usize, password: &str, patience: Duration) -> Self {
        let mut sentinels: Vec<_> = thread::scope(|scope| {
            let asked: Vec<_> = others
                .iter()
                .map(|at| scope.spawn(move || ask_sentinel(at, password, patience)))
                .collect();
            asked.into_iter().map(|asked| asked.join().ok().flatten()).collect()
        });
        sentinels.resize(all.saturating_sub(1).max(sentinels.len()), None);
        Self {
            sentinels,
            peers: Vec::new(),
        }
    }

    /// The latest master, when a majority of the Sentinels answers.
    pub(crate) fn named_by_majority(&self) -> Option<&SentinelView> {
        let answers = self.sentinels.iter().flatten().count();
        self.named_master().filter(|_| answers > self.sentinels.len() / 2)
    }

    /// Whether that is this server.
    pub(crate) fn majority_names(&self, own: &HostPort) -> bool {
        self.named_by_majority().is_some_and(|named| named.master == *own)
    }

    /// Whether any Sentinel replaces the master that it names, or is about to.
    pub(crate) fn is_being_replaced(&self) -> bool {
        self.sentinels.iter().flatten().any(|said| said.is_replacing)
    }

    /// Whether a Sentinel has not finished with replacing this server. The others may name its successor long before.
    pub(crate) fn is_replacing(&self, own: &HostPort) -> bool {
        let mut answers = self.sentinels.iter().flatten();
        answers.any(|said| said.is_replacing && said.master == *own)
    }

    /// As if no Sentinel were replacing anybody.
    pub(crate) fn forget_replacements(&mut self) {
        for said in self.sentinels.iter_mut().flatten() {
            said.is_replacing = false;
        }
    }

    /// What the others agree on, when they are a majority of all Sentinels without the one that asks, none is replacing anybody, and they
    /// learned of it no earlier than in `epoch`.
    pub(crate) fn others_agree_on(&self, epoch: u64) -> Option<&SentinelView> {
        let all = self.sentinels.len() + 1;
        self.named_master().filter(|named| {
            let answers = self.sentinels.iter().flatten();
            let agree = answers.filter(|other| other.master == named.master).count();
            agree > all / 2 && named.epoch >= epoch && !self.is_being_replaced()
        })
    }

    /// The latest master that the Sentinels name; of equally late ones the one that most name.
    pub(crate) fn named_master(&self) -> Option<&SentinelView> {
        let answers = || self.sentinels.iter().flatten();
        answers().max_by_key(|view| {
            (
                view.epoch,
                answers().filter(|other| other.master == view.master).count(),
            )
        })
    }
}

/// Makes a Sentinel replace the master that it names, without asking the others whether that is down: whoever asks must know it.
///
/// # Errors
/// Why each Sentinel that names this server did not.
pub(crate) fn replace_master(start: &Start, view: &View, patience: Duration) -> Result<(), String> {
    let own = start.own.place();
    hold_answers(start);
    let naming = others(start, &start.sentinels)
        .zip(&view.sentinels)
        .filter(|(_, said)| said.as_ref().is_some_and(|said| said.master == own));
    let mut refusals = Vec::new();
    for (at, _) in naming {
        let asked = Connection::open(&at.host, at.port, &start.sentinel_password, patience)
            .and_then(|mut connection| connection.ask(&["SENTINEL", "FAILOVER", MASTER_NAME]));
        match asked {
            Ok(_) => return Ok(()),
            Err(error) => refusals.push(format!("{}: {error}", at.member)),
        }
    }
    Err(refusals.join("; "))
}

/// Has the other servers keep whoever asks them waiting for a moment. A Sentinel asks for their state when a failover begins, hears that
/// nobody leads yet, and asks the next time a second later: all that time it names the dead master. Without an answer it asks ten times a
/// second, on the connection that also carries the promotion, and the answers that follow that one tell it at once. Nothing depends on it.
fn hold_answers(start: &Start) {
    for at in others(start, &start.servers) {
        // One that cannot be told answers as ever.
        let _ = Connection::open(&at.host, at.port, &start.password, HOLD_PATIENCE)
            .and_then(|mut connection| connection.ask(&["CLIENT", "PAUSE", HELD_MS, "ALL"]));
    }
}

/// All but the one that asks.
fn others<'a>(start: &'a Start, all: &'a [Address]) -> impl Iterator<Item = &'a Address> {
    all.iter().filter(|other| **other != start.own)
}

fn ask_sentinel(at: &Address, password: &str, patience: Duration) -> Option<SentinelView> {
    let mut connection = Connection::open(&at.host, at.port, password, patience).ok()?;
    sentinel_view(&mut connection)
}

/// What the Sentinel at the other end says.
pub(crate) fn sentinel_view(connection: &mut Connection) -> Option<SentinelView> {
    let reply = connection.ask(&["SENTINEL", "MASTER", MASTER_NAME]).ok()?;
    let number = |name| {
        reply
            .field(name)
            .and_then(Reply::integer)
            .and_then(|value| u64::try_from(value).ok())
    };
    let port = number("port").and_then(|port| u16::try_from(port).ok())?;
    let host = reply.field("ip")?.text()?.to_owned();
    Some(SentinelView {
        master: HostPort::new(host, port),
        epoch: number("config-epoch")?,
        is_replacing: is_called(&reply, &REPLACING),
    })
}

/// Whether the master that a Sentinel describes has one of these flags.
pub(crate) fn is_called(master: &Reply, names: &[&str]) -> bool {
    let flags = master.field("flags").and_then(Reply::text).unwrap_or_default();
    flags.split(',').any(|flag| names.contains(&flag))
}

fn ask_server(at: &Address, password: &str, patience: Duration) -> Option<ServerView> {
    let mut connection = match Connection::open(&at.host, at.port, password, patience) {
        Ok(connection) => connection,
        Err(error) if error.to_string() == EMPTY => {
            return Some(ServerView {
                place: at.place(),
                is_master: false,
                has_data: false,
                up_for: 0,
            });
        }
        Err(_) => return None,
    };
    let role = connection.ask(&["ROLE"]).ok()?;
    let keys = connection.ask(&["DBSIZE"]).ok()?.integer()?;
    let about = connection.ask(&["INFO", "server"]).ok()?;
    let up_for = about
        .text()?
        .lines()
        .find_map(|line| line.strip_prefix("uptime_in_seconds:"))?;
    let is_master = role.list().first().and_then(Reply::text) == Some("master");
    Some(ServerView {
        place: at.place(),
        is_master,
        has_data: keys > 0,
        up_for: up_for.trim().parse().ok()?,
    })
}

/// Tells everybody who asks at this port that an empty server waits here for its role, until this process becomes the
/// server. It is no valid answer to a Sentinel, so that none can choose this server meanwhile.
pub(crate) fn answer_as_empty(bind: &str, port: u16) -> io::Result<()> {
    let listener = TcpListener::bind((bind, port))?;
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut answer = || -> io::Result<()> {
                stream.set_read_timeout(Some(Duration::from_millis(200)))?;
                stream.set_write_timeout(Some(Duration::from_millis(200)))?;
                // An answer that overtakes its question may be lost with the connection.
                let _ = stream.read(&mut [0; 1024])?;
                write!(stream, "-{EMPTY}\r\n")
            };
            // Who asked will ask again.
            let _ = answer();
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests;
