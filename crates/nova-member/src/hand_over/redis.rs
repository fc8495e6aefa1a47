//! Redis through a Sentinel. Sentinel's own failover asks the old master nothing: it goes on acknowledging writes for some eight
//! seconds, which are lost when it is demoted. So its writes are paused first, and it is demoted as soon as the new master leads.

use std::thread;
use std::time::{Duration, Instant};

use super::HandOverError;
use crate::address::{Address, HostPort};
use crate::place::Place;
use crate::redis_view::View;
use crate::resolve;
use crate::resp::{Connection, Reply};
use crate::start::{MASTER_NAME, Start};

/// Longest pause of a master's writes, which ends by itself should nobody end it.
const PAUSED_MS: &str = "15000";
/// Sentinels name the new master within this.
const LIMIT: Duration = Duration::from_secs(12);
/// A master without any replica for this long is followed by none. One that is promoted leaves it before it is named.
const ALONE: Duration = Duration::from_secs(2);
/// The other Sentinels hear of it from the one that was asked; one that is dead must not hold the clients back for longer.
const ALL_LIMIT: Duration = Duration::from_millis(500);
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Looks between two at who follows the master.
const LOOKS: u32 = 20;
/// How often a Sentinel asks its servers for their state, in milliseconds: its own default.
const STATE_PERIOD_MS: &str = "10000";
/// Time in which a Sentinel that asks all the time has asked everyone.
const ASKS_EVERYONE: Duration = Duration::from_millis(200);
/// How long after that the failover begins. A failover has promoted the replica after 0.13 to 0.26 s.
const BEFORE_FAILOVER: Duration = Duration::from_millis(720);
/// Longest wait for a connection, or for one answer.
const ANSWER: Duration = Duration::from_millis(500);
/// Longest wait for the addresses of those who are given by name.
const NAMES: Duration = Duration::from_secs(2);

/// A master, and the Sentinels that name it.
#[derive(Clone)]
pub struct Master {
    /// Where it is met.
    pub at: HostPort,
    /// All Sentinels.
    pub sentinels: Vec<HostPort>,
    /// Of the servers.
    pub password: String,
    /// Of the Sentinels.
    pub sentinel_password: String,
}

/// One server, and what it is asked by.
struct Node {
    at: HostPort,
    connection: Connection,
}

pub(super) fn before_end(place: &Place) -> Result<Option<String>, HandOverError> {
    let start = Start::resolved(place)?;
    let own = start.own.place();
    let is_named = |view: &View| view.majority_names(&own) && !view.is_being_replaced();
    if !is_named(&View::ask_until(&start, ANSWER, is_named)) {
        return Ok(None);
    }
    // Of a master that is there, unlike of a dead one, it is known who has all of it: whoever follows.
    let mut master = Node::connect(&own, &start.password)?;
    if followers(&master.ask(&["ROLE"])?) == 0 {
        return Err(HandOverError::NoSuccessor);
    }
    let (beside, elsewhere): (Vec<&Address>, Vec<&Address>) = start
        .sentinels
        .iter()
        .partition(|sentinel| sentinel.host == start.own.host);
    let next = Master {
        at: own,
        // The one beside it may be ending as well.
        sentinels: elsewhere.into_iter().chain(beside).map(Address::place).collect(),
        password: start.password.clone(),
        sentinel_password: start.sentinel_password.clone(),
    }
    .switch()?;
    Ok(Some(format!("{} is master no more: {next} is", start.own.member)))
}

impl Master {
    /// Moves its role to a replica of the Sentinels' choice, and returns where that is met.
    ///
    /// # Errors
    /// When it or every Sentinel cannot be reached or refuses, or none is named in time. Then it goes on, unless a Sentinel has begun.
    pub fn switch(&self) -> Result<HostPort, HandOverError> {
        let mut master = Node::connect(&self.at, &self.password)?;
        let mut sentinels = self.sentinels()?;
        choose_the_moment(&mut sentinels[0]);
        master.ask(&["CLIENT", "PAUSE", PAUSED_MS, "WRITE"])?;
        let moved = move_master(&mut master, &mut sentinels);
        // Whoever is still connected looks for the master anew. A failure here ends with the pause.
        let _ = master.ask(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        let unpaused = master.ask(&["CLIENT", "UNPAUSE"]);
        let next = moved?;
        unpaused.map(|_| next)
    }

    /// Every Sentinel that answers, one at least.
    fn sentinels(&self) -> Result<Vec<Node>, HandOverError> {
        let tried: Vec<_> = thread::scope(|scope| {
            let connect = |at| scope.spawn(move || Node::connect(at, &self.sentinel_password));
            let tried: Vec<_> = self.sentinels.iter().map(connect).collect();
            tried.into_iter().flat_map(thread::ScopedJoinHandle::join).collect()
        });
        let (nodes, refusals): (Vec<_>, Vec<_>) = tried.into_iter().partition(Result::is_ok);
        if nodes.is_empty() {
            let refusals: Vec<String> = refusals
                .into_iter()
                .filter_map(|refused| refused.err().map(|error| error.to_string()))
                .collect();
            return Err(HandOverError::Nobody(refusals.join("; ")));
        }
        Ok(nodes.into_iter().flatten().collect())
    }
}

/// During a failover a Sentinel asks a server for its state once a second, and names the new master only when that says so: a
/// second of outage for a promotion that takes a quarter. So everyone is asked shortly before, and the next question comes
/// just after the promotion. Nothing depends on it: a Sentinel without that command, or a late promotion, takes its second.
fn choose_the_moment(sentinel: &mut Node) {
    if sentinel.ask(&["SENTINEL", "DEBUG", "INFO-PERIOD", "1"]).is_err() {
        return;
    }
    thread::sleep(ASKS_EVERYONE);
    let _ = sentinel.ask(&["SENTINEL", "DEBUG", "INFO-PERIOD", STATE_PERIOD_MS]);
    thread::sleep(BEFORE_FAILOVER);
}

fn move_master(master: &mut Node, sentinels: &mut [Node]) -> Result<HostPort, HandOverError> {
    let (asked, old) = ask_for_failover(sentinels)?;
    let is_alone = || master.ask(&["ROLE"]).is_ok_and(|role| followers(&role) == 0);
    let new = another_master(&mut sentinels[asked], &old, LIMIT, is_alone)?;
    master.ask(&["REPLICAOF", &new.host, &new.port.to_string()])?;
    // A client asks any Sentinel. Sent away before that one knows, it finds the old master again and pauses for longer than this.
    let until = Instant::now() + ALL_LIMIT;
    for (number, other) in sentinels.iter_mut().enumerate() {
        let left = until.saturating_duration_since(Instant::now());
        if number != asked && !left.is_zero() {
            let _ = another_master(other, &old, left, || false);
        }
    }
    Ok(new)
}

/// Asks one after the other, until one begins. Returns which, and whom it names until then: they know addresses where others know names.
fn ask_for_failover(sentinels: &mut [Node]) -> Result<(usize, HostPort), HandOverError> {
    let mut refusals = Vec::new();
    for (number, sentinel) in sentinels.iter_mut().enumerate() {
        let asked = named_master(sentinel).and_then(|old| {
            sentinel.ask(&["SENTINEL", "FAILOVER", MASTER_NAME])?;
            Ok(old)
        });
        match asked {
            Ok(old) => return Ok((number, old)),
            Err(error) => refusals.push(error.to_string()),
        }
    }
    Err(HandOverError::Nobody(refusals.join("; ")))
}

/// Whom `sentinel` names as soon as that is not `old` any more. `is_alone` says whether nobody follows the old one.
fn another_master(
    sentinel: &mut Node,
    old: &HostPort,
    limit: Duration,
    mut is_alone: impl FnMut() -> bool,
) -> Result<HostPort, HandOverError> {
    let begin = Instant::now();
    let (mut looks, mut alone_since) = (1_u32, None::<Instant>);
    loop {
        let named = named_master(sentinel)?;
        if named != *old {
            return Ok(named);
        }
        if looks % LOOKS == 0 {
            alone_since = is_alone().then(|| alone_since.unwrap_or_else(Instant::now));
        }
        if alone_since.is_some_and(|since| since.elapsed() >= ALONE) {
            return Err(HandOverError::NoSuccessor);
        }
        if begin.elapsed() >= limit {
            return Err(HandOverError::TimedOut { within: limit });
        }
        looks = looks.wrapping_add(1);
        thread::sleep(LOOK_EVERY);
    }
}

fn named_master(sentinel: &mut Node) -> Result<HostPort, HandOverError> {
    let named = sentinel.ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER_NAME])?;
    let word = |index: usize| named.list().get(index).and_then(Reply::text);
    let port = word(1).and_then(|port| port.parse().ok());
    match (word(0), port) {
        (Some(host), Some(port)) => Ok(HostPort::new(host, port)),
        _ => Err(sentinel.unanswered("it names no master".to_owned())),
    }
}

/// How many replicas are connected to a master, as its `ROLE` says.
fn followers(role: &Reply) -> usize {
    role.list().get(2).map_or(0, |replicas| replicas.list().len())
}

impl Node {
    fn connect(at: &HostPort, password: &str) -> Result<Self, HandOverError> {
        let addresses = resolve::all([at.host.clone()], NAMES)?;
        let host = addresses
            .get(&at.host)
            .map_or_else(|| at.host.clone(), ToString::to_string);
        match Connection::open(&host, at.port, password, ANSWER) {
            Ok(connection) => Ok(Self {
                at: at.clone(),
                connection,
            }),
            Err(error) => Err(HandOverError::Unanswered {
                at: at.clone(),
                why: error.to_string(),
            }),
        }
    }

    fn ask(&mut self, command: &[&str]) -> Result<Reply, HandOverError> {
        let answer = self.connection.ask(command);
        answer.map_err(|error| self.unanswered(format!("{}: {error}", command.join(" "))))
    }

    fn unanswered(&self, why: String) -> HandOverError {
        let at = self.at.clone();
        HandOverError::Unanswered { at, why }
    }
}

#[cfg(test)]
mod tests {
    use super::{Reply, followers};

    #[test]
    fn followers_are_those_who_are_connected_to_a_master() {
        let text = |text: &str| Reply::Text(text.to_owned());
        let replica = || Reply::List(vec![text("127.77.0.2"), text("6379"), text("5")]);
        let role = |replicas| Reply::List(vec![text("master"), Reply::Integer(5), Reply::List(replicas)]);
        assert_eq!(followers(&role(vec![replica(), replica()])), 2);
        assert_eq!(followers(&role(Vec::new())), 0);
        // Once it is demoted.
        assert_eq!(followers(&Reply::List(vec![text("slave"), text("127.77.0.2")])), 0);
    }
}
