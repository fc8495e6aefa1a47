//! Whether the other Sentinels have left one behind, so that it must be started anew ([`crate::sentinel_start`] then believes them).
//!
//! Seen with Redis 7.0: while one Sentinel still ends a failover, the new master dies, and the others make the old one master
//! again. The first hears of it by a message that names the very address which it has not given up yet, takes over the epoch and nothing
//! else, and then switches to the dead server. All have the same epoch, so no message ever tells it otherwise.

use std::time::Duration;

use crate::address::Address;
use crate::place::Place;
use crate::probe;
use crate::redis_view::{SentinelView, View, sentinel_view};
use crate::resp::Reply;
use crate::start::{MASTER_NAME, Start};

/// How often to ask.
pub const EVERY: Duration = Duration::from_secs(5);
/// Answers in a row that count. While a master changes, one Sentinel knows before the others; it takes them a second or two.
const TIMES: u32 = 3;
const ANSWER: Duration = Duration::from_millis(500);

/// How often in a row one Sentinel was found behind.
#[derive(Debug, Default)]
pub struct Behind(u32);

impl Behind {
    /// Asks the Sentinel of this place, and those that it knows; to be called [`EVERY`] so often. Returns the reason when it must be
    /// started anew: it was behind each time. One that does not answer is not known to be. Takes some two seconds at most.
    pub fn look(&mut self, place: &Place) -> Option<String> {
        let reason = look(place);
        self.0 = if reason.is_some() { self.0 + 1 } else { 0 };
        reason.filter(|_| self.0 >= TIMES)
    }
}

/// The reason when the others agree on another master, and learned of it no earlier.
fn look(place: &Place) -> Option<String> {
    let start = Start::read(place).ok()?;
    let mut behind = None;
    probe::ask(&start, &start.sentinel_password, |connection| {
        let Some(own) = sentinel_view(connection) else {
            return Ok(Err("it does not say whom it watches".to_owned()));
        };
        // By the addresses that it knows: names may not resolve at the moment.
        let others = connection.ask(&["SENTINEL", "SENTINELS", MASTER_NAME])?;
        let others: Vec<Address> = others.list().iter().filter_map(address).collect();
        let view = View::of_sentinels(&others, start.sentinels.len(), &start.sentinel_password, ANSWER);
        behind = why_behind(&own, &view);
        Ok(Ok(()))
    })
    .ok()?;
    behind
}

fn address(said: &Reply) -> Option<Address> {
    Some(Address {
        member: said.field("name")?.text()?.to_owned(),
        host: said.field("ip")?.text()?.to_owned(),
        port: said.field("port")?.integer()?.try_into().ok()?,
    })
}

fn why_behind(own: &SentinelView, view: &View) -> Option<String> {
    let named = view.others_agree_on(own.epoch)?;
    let is_behind = named.master != own.master && !own.is_replacing;
    is_behind.then(|| {
        format!(
            "it names {} as master (epoch {}), and the others agree on {} (epoch {})",
            own.master, own.epoch, named.master, named.epoch
        )
    })
}

#[cfg(test)]
mod tests;
