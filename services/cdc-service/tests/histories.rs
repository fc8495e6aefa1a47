//! The logic of positions over simulated histories: writers, a standby that lags, publishers that die anywhere, failovers after which the
//! log goes on from an earlier place with the same numbers, slots that are behind or made anew. `judge` and `assemble` are the real ones.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use cdc_service::assemble::{Assembler, Limits};
use cdc_service::judge::{Broken, Server, Switch, Verdict, judge};
use nova_events::{Envelope, PROBE, Position, Written};
use proptest::prelude::*;
use time::OffsetDateTime;
use uuid::Uuid;

const LIMITS: Limits = Limits {
    events: 3,
    bytes: 1 << 20,
};

/// A transaction in the log.
#[derive(Debug, Clone)]
struct Transaction {
    id: u32,
    commit: u64,
    end: u64,
    events: u32,
}

/// What happens.
#[derive(Debug, Clone)]
enum Act {
    /// A transaction with so many events is committed; its record begins so far after the one before, and is so long.
    Write(u32, u64, u64),
    /// The standby flushes what there is.
    Flush,
    /// The publisher is sent so many messages.
    Send(usize),
    /// It publishes what it has, when it may.
    Publish,
    /// It dies after Kafka committed and before PostgreSQL was told.
    PublishAndDie,
    /// It dies.
    Die,
    /// The standby learns where the slot is.
    CopySlot,
    /// The leader dies, and the standby leads: with what it has flushed.
    FailOver,
    /// The slot is lost and made anew.
    LoseSlot,
}

fn acts(with_loss: bool) -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (0..8u32, 0..3u64, 1..4u64).prop_map(|(events, gap, length)| Act::Write(events, gap, length)),
        3 => Just(Act::Flush),
        6 => (1..12usize).prop_map(Act::Send),
        5 => Just(Act::Publish),
        2 => Just(Act::PublishAndDie),
        1 => Just(Act::Die),
        2 => Just(Act::CopySlot),
        1 => Just(Act::FailOver),
        u32::from(with_loss) => Just(Act::LoseSlot),
    ];
    prop::collection::vec(act, 0..120)
}

/// A publisher that owns the slot.
struct Session {
    assembler: Assembler,
    /// Which message of the log comes next: of which transaction, and which of it.
    next: (usize, u32),
}

struct World {
    /// Whether what the standby lacks is published nevertheless.
    careless: bool,
    log: Vec<Transaction>,
    end: u64,
    timeline: u32,
    history: Vec<Switch>,
    /// What the standby has flushed: transactions, and up to where.
    standby: (usize, u64),
    slot: u64,
    slot_of_standby: u64,
    ids: u32,
    stored: Option<Position>,
    published: Vec<(u32, u32)>,
    broken: Vec<Broken>,
    session: Option<Session>,
}

impl World {
    fn new(careless: bool) -> Self {
        Self {
            careless,
            log: Vec::new(),
            end: 10,
            timeline: 1,
            history: Vec::new(),
            standby: (0, 10),
            slot: 10,
            slot_of_standby: 10,
            ids: 0,
            stored: None,
            published: Vec::new(),
            broken: Vec::new(),
            session: None,
        }
    }

    fn act(&mut self, act: &Act) {
        match *act {
            Act::Write(events, gap, length) => {
                let commit = self.end + gap + 1;
                self.end = commit + length;
                self.log.push(Transaction {
                    id: self.ids,
                    commit,
                    end: self.end,
                    events,
                });
                self.ids += 1;
            }
            Act::Flush => self.standby = (self.log.len(), self.end),
            Act::Send(messages) => {
                for _ in 0..messages {
                    self.send();
                }
            }
            Act::Publish => {
                self.publish(true);
            }
            Act::PublishAndDie => {
                self.publish(false);
                self.session = None;
            }
            Act::Die => self.session = None,
            Act::CopySlot => self.slot_of_standby = self.slot.min(self.standby.1),
            Act::FailOver => self.fail_over(),
            Act::LoseSlot => {
                self.session = None;
                self.slot = self.end;
            }
        }
    }

    fn fail_over(&mut self) {
        self.session = None;
        self.log.truncate(self.standby.0);
        self.end = self.standby.1;
        self.history.push(Switch {
            timeline: self.timeline,
            lsn: self.end,
        });
        self.timeline += 1;
        self.slot = self.slot_of_standby;
    }

    /// Begins one if there is none; `None` while the standby lacks what a new epoch begins after.
    fn session(&mut self) -> Option<&mut Session> {
        if self.session.is_none() {
            let server = Server {
                system: "7".to_owned(),
                timeline: self.timeline,
                history: self.history.clone(),
                end: self.end,
                slot: self.slot,
            };
            let position = match judge(self.stored.clone(), &server, 1) {
                Verdict::Resume(position) => position,
                Verdict::Begin(position, _) if !self.careless && position.lsn > self.standby.1 => return None,
                Verdict::Begin(position, reason) => {
                    self.broken.push(reason);
                    self.stored = Some(position.clone());
                    position
                }
            };
            // The slot sends whole transactions that were committed at or after its place.
            let first = self.log.iter().position(|of| of.commit >= self.slot);
            self.session = Some(Session {
                assembler: Assembler::new(position, LIMITS),
                next: (first.unwrap_or(self.log.len()), 0),
            });
        }
        self.session.as_mut()
    }

    /// The next message of the stream; a keepalive when there is none.
    fn send(&mut self) {
        let (end, log) = (self.end, self.log.clone());
        let Some(session) = self.session() else { return };
        if session.assembler.is_full() {
            return;
        }
        let (which, message) = session.next;
        let Some(of) = log.get(which) else {
            session.assembler.idle(end);
            return;
        };
        if message == 0 {
            session.assembler.begin(of.commit, 0);
        } else if message <= of.events {
            session.assembler.event(&written(of.id, message - 1)).unwrap();
        }
        session.next.1 += 1;
        if message == of.events + 1 {
            session.assembler.commit(of.end);
            session.next = (which + 1, 0);
        }
    }

    /// What `session` does of a batch: waits, publishes with the position, tells PostgreSQL.
    fn publish(&mut self, tell: bool) -> bool {
        let (careless, flushed, end) = (self.careless, self.standby.1, self.end);
        let Some(session) = self.session() else { return false };
        let assembler = &mut session.assembler;
        if assembler.is_open() && !assembler.is_full() {
            return false;
        }
        let unfinished = assembler.is_open();
        let reach = if unfinished { end } else { assembler.complete() };
        if !careless && reach > flushed {
            return false;
        }
        let batch = assembler.take();
        for record in &batch.records {
            let body: (u32, u32) = serde_json::from_slice(&record.body).unwrap();
            self.published.push(body);
        }
        if tell {
            self.slot = self.slot.max(batch.position.lsn);
        }
        self.stored = Some(batch.position);
        true
    }

    /// Everything comes to rest: the standby has all, and all is published.
    fn rest(&mut self) {
        self.act(&Act::Flush);
        for _ in 0..2_000 {
            self.send();
            self.publish(true);
        }
    }

    fn kept(&self) -> Vec<(u32, u32)> {
        let of = |of: &Transaction| (0..of.events).map(|event| (of.id, event)).collect::<Vec<_>>();
        self.log.iter().flat_map(of).collect()
    }
}

fn written(id: u32, event: u32) -> Vec<u8> {
    let envelope = Envelope {
        id: Uuid::nil(),
        kind: "nova.probes.sent.v1".to_owned(),
        source: "/test".to_owned(),
        subject: "s".to_owned(),
        time: OffsetDateTime::UNIX_EPOCH,
        traceparent: None,
    };
    let body = serde_json::to_vec(&(id, event)).unwrap();
    let topic = PROBE.name.to_owned();
    Written { topic, envelope, body }.encode().unwrap()
}

fn run(acts: &[Act], careless: bool) -> World {
    let mut world = World::new(careless);
    // The first start begins the first epoch, before anything is written.
    world.session();
    for act in acts {
        world.act(act);
    }
    world.rest();
    world
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever dies, and whoever leads: what was kept is published, once, in order, and nothing else; and no epoch begins.
    #[test]
    fn what_the_database_kept_is_published_once_and_in_order(acts in acts(false)) {
        let world = run(&acts, false);
        prop_assert_eq!(&world.published, &world.kept());
        prop_assert_eq!(world.broken, [Broken::NoPosition]);
    }

    /// With slots that are lost: nothing that was undone, nothing twice, and what is missing has an epoch that says so.
    #[test]
    fn what_a_lost_slot_loses_is_never_lost_in_silence(acts in acts(true)) {
        let world = run(&acts, false);
        let kept: BTreeSet<_> = world.kept().into_iter().collect();
        let published: BTreeSet<_> = world.published.iter().copied().collect();
        prop_assert_eq!(published.len(), world.published.len());
        prop_assert!(published.is_subset(&kept));
        prop_assert!(published == kept || world.broken.contains(&Broken::SlotAhead));
        prop_assert!(!world.broken.contains(&Broken::TimelineLeft));
    }

    /// Published without waiting for the standby: what a failover undid then stands in Kafka. It is noticed.
    #[test]
    fn what_was_published_and_undone_is_noticed(acts in acts(false)) {
        let world = run(&acts, true);
        let kept: BTreeSet<_> = world.kept().into_iter().collect();
        let phantom = world.published.iter().any(|event| !kept.contains(event));
        prop_assert!(!phantom || world.broken.contains(&Broken::TimelineLeft));
    }
}

/// The negative control: without waiting there are phantoms.
#[test]
fn without_waiting_for_the_standby_there_are_phantoms() {
    let acts = [Act::Write(2, 1, 1), Act::Send(4), Act::Publish, Act::FailOver];
    let kept: BTreeSet<_> = run(&acts, true).kept().into_iter().collect();
    assert!(kept.is_empty());
    assert_eq!(run(&acts, true).published, [(0, 0), (0, 1)]);
    assert_eq!(run(&acts, false).published, []);
}

/// And told before Kafka has it, PostgreSQL forgets what nobody published.
#[test]
fn told_before_it_is_published_an_event_is_lost() {
    let mut world = World::new(false);
    world.session();
    world.act(&Act::Write(2, 1, 1));
    world.act(&Act::Flush);
    world.act(&Act::Send(4));
    world.slot = world.end;
    world.act(&Act::Die);
    world.rest();
    assert_eq!(world.published, []);
    assert_eq!(
        world.broken,
        [Broken::NoPosition, Broken::SlotAhead],
        "lost, and it is noticed"
    );
}
