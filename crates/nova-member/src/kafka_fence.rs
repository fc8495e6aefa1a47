//! Fences, for a Kafka broker that is proven dead, the session of the life that has ended, so that others lead what it led. Why nothing
//! can be lost by it is decision 13.
//!
//! The controller does the same by itself when the broker's session ends, which it counts from the last heartbeat, or from its own
//! election where the dead one was the leading controller. What is done here is one last heartbeat in the dead broker's name, which
//! asks to be fenced. It carries the epoch of that life's registration, and the controller refuses any other.

use std::net::SocketAddr;
use std::time::{Duration, Instant};
use std::{fmt, thread};

use crate::address::HostPort;
use crate::error::StartError;
use crate::files::{read_if_present, read_json};
use crate::kafka_start::{Start, session_log};
use crate::kafka_wire::{Answer, Request, ask};
use crate::place::Place;
use crate::resolve;

/// How it begins to tell of a session, between them the broker's id, and behind them the epoch.
const REGISTERED: &str = "Successfully registered broker ";
const WITH_EPOCH: &str = " with broker epoch ";
/// It was told to end, and asks the controller to lead nothing any more.
const GIVES_IT_UP: &str = "Beginning controlled shutdown";
const BROKER_HEARTBEAT: i16 = 63;
/// The oldest version, which every controller speaks.
const VERSION: i16 = 0;
/// A controller counts how far a broker is only before it lets it lead.
const NO_OFFSET: i64 = -1;
const STALE_BROKER_EPOCH: i16 = 77;
const BROKER_ID_NOT_REGISTERED: i16 = 102;

/// Longest wait for a connection. A controller that went with the same node may be at an address that swallows packets.
const REACH: Duration = Duration::from_millis(200);
/// Longest wait for a part of an answer.
const ANSWER: Duration = Duration::from_secs(1);
/// Pause between two rounds: without a leading controller, all of them refuse at once.
const PAUSE: Duration = Duration::from_millis(50);

/// A life of a broker, as the controller has registered it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Session {
    broker: i32,
    epoch: i64,
}

/// The dead broker's session, and who can end it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    session: Session,
    controllers: Vec<HostPort>,
}

/// What became of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fenced {
    /// The broker is fenced: it leads nothing and counts for no copy.
    Done,
    /// That life is registered no longer.
    Gone,
}

impl fmt::Display for Fenced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done => "its session was ended: others lead what it led",
            Self::Gone => "its session had ended already",
        })
    }
}

impl Fence {
    /// For the last life of the broker of this place, to be called before its next one begins; `None` when that life had no session, or
    /// gave it up itself.
    ///
    /// # Errors
    /// When a file of the broker cannot be read.
    pub fn of_last_life(place: &Place) -> Result<Option<Self>, StartError> {
        let Some(session) = last_session(&read_if_present(&session_log(place))?) else {
            return Ok(None);
        };
        let start: Start = read_json(&place.config("start.json"))?;
        Ok(Some(Self {
            session,
            controllers: start.controllers,
        }))
    }

    /// Ends the session. To be called only when that life is proven dead; the next one may have begun.
    ///
    /// # Errors
    /// When no controller does it within `limit`, with the last refusal, or when it is not wanted any longer. Then the session ends by
    /// itself.
    pub fn end_session(&self, limit: Duration, is_wanted: impl Fn() -> bool) -> Result<Fenced, String> {
        let until = Instant::now() + limit;
        let mut refusal = "the platform has no controllers".to_owned();
        loop {
            for controller in &self.controllers {
                if !is_wanted() {
                    return Err("it is not wanted any longer".to_owned());
                }
                match self.attempt(controller) {
                    Ok(fenced) => return Ok(fenced),
                    Err(error) => refusal = format!("{controller}: {error}"),
                }
            }
            if Instant::now() >= until {
                return Err(refusal);
            }
            thread::sleep(PAUSE);
        }
    }

    fn attempt(&self, controller: &HostPort) -> Result<Fenced, String> {
        let address = address_of(controller)?;
        let answer = ask(address, &self.session.last_heartbeat(), REACH, ANSWER).map_err(|error| error.to_string())?;
        understand(&answer).unwrap_or_else(|| Err("the answer to BrokerHeartbeat is not understood".to_owned()))
    }
}

impl Session {
    /// BrokerHeartbeat: it is to be fenced, and goes on running as far as the controller knows.
    fn last_heartbeat(self) -> Request {
        let (yes, no) = (1, 0);
        Request::flexible(BROKER_HEARTBEAT, VERSION)
            .i32(self.broker)
            .i64(self.epoch)
            .i64(NO_OFFSET)
            .i8(yes)
            .i8(no)
            .end()
    }
}

fn address_of(controller: &HostPort) -> Result<SocketAddr, String> {
    let found = resolve::all([controller.host.clone()], ANSWER).map_err(|error| error.to_string())?;
    found
        .get(&controller.host)
        .map(|address| SocketAddr::new(*address, controller.port))
        .ok_or_else(|| "it has no address".to_owned())
}

fn understand(answer: &[u8]) -> Option<Result<Fenced, String>> {
    let mut rest = Answer::flexible(answer)?;
    rest.i32()?; // throttle time
    let error = rest.i16()?;
    rest.i8()?; // whether it is caught up
    let is_fenced = rest.i8()? != 0;
    Some(match error {
        0 if is_fenced => Ok(Fenced::Done),
        0 => Err("it leaves the broker as it is".to_owned()),
        STALE_BROKER_EPOCH | BROKER_ID_NOT_REGISTERED => Ok(Fenced::Gone),
        // Most often NOT_CONTROLLER, of one that does not lead.
        error => Err(format!("refused with error code {error}")),
    })
}

/// The last session that a broker wrote of, unless it wrote after that of giving it up.
fn last_session(log: &str) -> Option<Session> {
    let told = |line: &str| match registered(line) {
        Some(session) => Some(Some(session)),
        None => line.contains(GIVES_IT_UP).then_some(None),
    };
    log.lines().filter_map(told).next_back().flatten()
}

fn registered(line: &str) -> Option<Session> {
    let (_, told) = line.split_once(REGISTERED)?;
    let (broker, epoch) = told.split_once(WITH_EPOCH)?;
    Some(Session {
        broker: broker.parse().ok()?,
        epoch: epoch.trim().parse().ok()?,
    })
}

#[cfg(test)]
mod tests;
