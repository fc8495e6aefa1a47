//! PostgreSQL by Patroni's REST API: a switchover. Patroni writes a checkpoint while the leader still serves, and only then stops it; told to
//! end, it would stop it first, and nobody could lead before that checkpoint is written.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use ureq::Agent;

use super::HandOverError;
use crate::address::{Address, HostPort};
use crate::error::StartError;
use crate::files::read_json;
use crate::leader_key::{Holder, LeaderKey};
use crate::place::Place;
use crate::postgres_start::{REST_USER, Start};

/// Longest wait for another leader: a checkpoint may have much to write. It stays below the time that a member has to end.
pub const LIMIT: Duration = Duration::from_secs(20);
/// Time for the gateway to hear that the member leads no more, which is two of its checks: a Patroni that is told to end takes questions and
/// answers none, and is sent what others write until those have timed out.
const NOTICED: Duration = Duration::from_secs(1);
/// Longest wait for etcd to say who leads; without it there is no other leader either.
const WHO_LEADS: Duration = Duration::from_millis(1500);
/// Nobody takes over who has not answered for this long.
const SILENT: Duration = Duration::from_secs(2);
/// Longest wait for members that have come back a moment ago to be counted on: some rounds of Patroni.
const COUNTED_ON: Duration = Duration::from_secs(10);
/// Pause between two looks whether they are.
const COUNTED_EVERY: Duration = Duration::from_millis(100);
/// Longest wait for one answer of those who may lead.
const ANSWER: Duration = Duration::from_millis(500);
/// Longest wait for a connection, which an address that swallows packets would have for minutes.
const REACH: Duration = Duration::from_millis(200);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The Patronis of a platform, and the password of their REST API.
#[derive(Clone)]
pub struct Patronis {
    /// That of the leader.
    pub leader: Address,
    /// The others'.
    pub others: Vec<Address>,
    /// What they ask for before they change anything.
    pub password: String,
}

/// What a look at the others showed.
enum Look {
    /// This one leads.
    Leads(String),
    /// Nobody does, and somebody answers.
    Waits,
    /// Nobody answers.
    Silent,
}

pub(super) fn before_end(place: &Place) -> Result<Option<String>, HandOverError> {
    let start: Start = read_json(&place.config("start.json"))?;
    if !leads(&start.leader_key)? {
        return Ok(None);
    }
    let own = start.leader_key.holder.clone();
    let password = match place.password("patroni-rest")? {
        Some(password) => password,
        None if start.password.is_empty() => return Err(StartError::NoPassword("patroni-rest".to_owned()).into()),
        None => start.password,
    };
    let mut others = start.patronis;
    let Some(number) = others.iter().position(|patroni| patroni.member == own) else {
        return Err(HandOverError::NotDescribed(own));
    };
    let leader = others.swap_remove(number);
    let next = Patronis {
        leader,
        others,
        password,
    }
    .switch(LIMIT)?;
    thread::sleep(NOTICED);
    Ok(Some(format!("{own} leads no more: {next} does")))
}

/// Whether the member holds the leader key now.
fn leads(key: &LeaderKey) -> Result<bool, HandOverError> {
    let until = Instant::now() + WHO_LEADS;
    let mut why = "the platform has no etcd".to_owned();
    for etcd in &key.etcd {
        match key.holder(etcd) {
            Ok(holder) => return Ok(matches!(holder, Holder::Own(_))),
            Err(refusal) => why = refusal,
        }
        if Instant::now() >= until {
            break;
        }
    }
    Err(HandOverError::Nobody(why))
}

impl Patronis {
    /// Moves the leader's role to another member of Patroni's choice, and returns its name as soon as it leads.
    ///
    /// No successor is named: to the others Patroni would then grant two seconds before they look for the new leader, and for so long it
    /// may have no standby that confirms a commit.
    ///
    /// # Errors
    /// When Patroni refuses, nobody is there who could lead, or nobody leads within `limit`.
    pub fn switch(&self, limit: Duration) -> Result<String, HandOverError> {
        if self.others.is_empty() {
            return Err(HandOverError::NoSuccessor);
        }
        self.count_on_all();
        let begin = Instant::now();
        let (answers, answer) = mpsc::channel();
        let asking = self.clone();
        // Patroni answers when it is done, and looks for that once a second. Whoever waits here is not kept that long.
        thread::spawn(move || answers.send(asking.ask(limit)));
        let mut heard = begin;
        loop {
            match self.look() {
                Look::Leads(member) => return Ok(member),
                Look::Waits => heard = Instant::now(),
                Look::Silent if heard.elapsed() >= SILENT => return Err(HandOverError::NoSuccessor),
                Look::Silent => {}
            }
            if let Ok(Err(refused)) = answer.try_recv() {
                return Err(refused);
            }
            if begin.elapsed() >= limit {
                return Err(HandOverError::TimedOut { within: limit });
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Waits until everybody who follows is in the quorum. Whoever leads next waits for those who are in it now: were that only itself and
    /// the one that ends, nobody would confirm a commit until Patroni's rounds have found the third, for three seconds.
    fn count_on_all(&self) {
        let is_quorum = self
            .leader
            .read("/config")
            .is_some_and(|config| config["synchronous_mode"] == "quorum");
        let until = Instant::now() + COUNTED_ON;
        // Each is asked itself: what the others know of one that has just started is of its life before.
        let is_left_out = |other: &Address| other.read("/patroni").is_some_and(|said| is_left_out(&said));
        while is_quorum && Instant::now() < until && self.others.iter().any(is_left_out) {
            thread::sleep(COUNTED_EVERY);
        }
    }

    fn ask(&self, limit: Duration) -> Result<(), HandOverError> {
        let at = self.leader.place();
        let login = STANDARD.encode(format!("{REST_USER}:{}", self.password));
        let asked = agent(limit)
            .post(format!("http://{at}/switchover"))
            .header("Authorization", format!("Basic {login}"))
            .send_json(json!({ "leader": self.leader.member }));
        let mut answer = match asked {
            Ok(answer) => answer,
            Err(error) => {
                let why = error.to_string();
                return Err(HandOverError::Unanswered { at, why });
            }
        };
        if answer.status().is_success() {
            return Ok(());
        }
        let said = answer.body_mut().read_to_string().unwrap_or_default();
        let why = format!("{} {said}", answer.status());
        Err(HandOverError::Refused { at, why })
    }

    /// As the gateway asks: whoever says so leads, and is sent what others write.
    fn look(&self) -> Look {
        let mut look = Look::Silent;
        for other in &self.others {
            let asked = agent(ANSWER).options(format!("http://{}/primary", HostPort::new(&other.host, other.port)));
            match asked.call() {
                Ok(answer) if answer.status().is_success() => return Look::Leads(other.member.clone()),
                Ok(_) => look = Look::Waits,
                Err(_) => {}
            }
        }
        look
    }
}

impl Address {
    /// What the Patroni at this address answers.
    fn read(&self, path: &str) -> Option<Value> {
        let asked = agent(ANSWER).get(format!("http://{}{path}", self.place())).call();
        asked.ok()?.body_mut().read_json().ok()
    }
}

/// Whether a member that says this of itself follows, or is about to, and is not in the quorum yet. One that is ending asks to be left out.
fn is_left_out(said: &Value) -> bool {
    let follows = said["role"] == "replica" && (said["state"] == "running" || said["state"] == "starting");
    follows && said["quorum_standby"] != true && said["tags"]["nosync"] != true
}

fn agent(limit: Duration) -> Agent {
    Agent::config_builder()
        .timeout_global(Some(limit))
        .timeout_connect(Some(REACH))
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .build()
        .into()
}

#[cfg(test)]
mod tests;
