//! What the Sentinels and the Redis servers say of each other at this moment.

use std::thread;
use std::time::Duration;

use nova_platform::endpoints::HostPort;

use super::redis::{Address, MASTER_NAME, Start};
use super::resp::{Connection, Reply};

/// What one Sentinel says of the master.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SentinelView {
    pub(super) master: HostPort,
    /// Which failover this stems from: the greater one is the later one.
    pub(super) epoch: u64,
    /// Replicas that the master ever had.
    pub(super) replicas: u64,
}

/// What one Redis server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServerView {
    pub(super) place: HostPort,
    pub(super) is_master: bool,
    pub(super) has_data: bool,
}

/// Everybody's answer, `None` for who did not give one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct View {
    pub(super) sentinels: Vec<Option<SentinelView>>,
    /// All Redis servers but the one that asks.
    pub(super) peers: Vec<Option<ServerView>>,
}

impl View {
    /// Asks everybody but `start.own` at once.
    pub(super) fn ask(start: &Start, patience: Duration) -> Self {
        let others = |all: &[Address]| {
            all.iter()
                .filter(|other| **other != start.own)
                .cloned()
                .collect::<Vec<_>>()
        };
        thread::scope(|scope| {
            let spawn_sentinel =
                |at: Address| scope.spawn(move || ask_sentinel(&at, &start.sentinel_password, patience));
            let spawn_server = |at: Address| scope.spawn(move || ask_server(&at, &start.password, patience));
            let sentinels: Vec<_> = others(&start.sentinels).into_iter().map(spawn_sentinel).collect();
            let servers: Vec<_> = others(&start.servers).into_iter().map(spawn_server).collect();
            Self {
                sentinels: sentinels.into_iter().map(|asked| asked.join().ok().flatten()).collect(),
                peers: servers.into_iter().map(|asked| asked.join().ok().flatten()).collect(),
            }
        })
    }

    /// The latest master that the Sentinels name; of equally late ones the one that most name.
    pub(super) fn named_master(&self) -> Option<&SentinelView> {
        let answers = || self.sentinels.iter().flatten();
        answers().max_by_key(|view| {
            (
                view.epoch,
                answers().filter(|other| other.master == view.master).count(),
            )
        })
    }
}

fn ask_sentinel(at: &Address, password: &str, patience: Duration) -> Option<SentinelView> {
    let mut connection = Connection::open(&at.host, at.port, password, patience).ok()?;
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
        replicas: number("num-slaves")?,
    })
}

fn ask_server(at: &Address, password: &str, patience: Duration) -> Option<ServerView> {
    let mut connection = Connection::open(&at.host, at.port, password, patience).ok()?;
    let role = connection.ask(&["ROLE"]).ok()?;
    let keys = connection.ask(&["DBSIZE"]).ok()?.integer()?;
    let is_master = role.list().first().and_then(Reply::text) == Some("master");
    Some(ServerView {
        place: at.place(),
        is_master,
        has_data: keys > 0,
    })
}
