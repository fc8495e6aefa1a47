//! Where a member goes on: what Kafka says was published, held against the server whose log it reads.
//!
//! Places in the log are comparable only within one history. A server can have another one than the place that was stored: another
//! cluster, one restored from a backup, one that was promoted without what the former leader had published. And a slot can have been
//! moved or made anew, so that what lies between is never sent. Each of these is a reason to begin a new epoch, never to skip.

use std::fmt;

use nova_events::Position;
use serde::Serialize;
use utoipa::ToSchema;

/// Until where the server's own timeline took over from one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Switch {
    /// The timeline before.
    pub timeline: u32,
    /// What of it, up to here, is part of the server's history.
    pub lsn: u64,
}

/// The server whose log is read, and its slot, which this member owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Which database cluster.
    pub system: String,
    /// Its timeline.
    pub timeline: u32,
    /// How that came about, oldest first.
    pub history: Vec<Switch>,
    /// The end of its log.
    pub end: u64,
    /// What was committed before this place the slot does not send any more.
    pub slot: u64,
}

/// Why what was published cannot be continued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Broken {
    /// Nothing says what was published: the first start, or Kafka lost it.
    NoPosition,
    /// The server belongs to another database cluster.
    OtherSystem,
    /// The server was promoted, or restored, without everything that was published.
    TimelineLeft,
    /// The server's log ends before what was published.
    LogBehind,
    /// The slot does not send everything after what was published.
    SlotAhead,
}

impl Broken {
    /// As a word, for metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::NoPosition => "no_position",
            Self::OtherSystem => "other_system",
            Self::TimelineLeft => "timeline_left",
            Self::LogBehind => "log_behind",
            Self::SlotAhead => "slot_ahead",
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoPosition => "Kafka does not say what was published: a first start, or its data is new",
            Self::OtherSystem => "PostgreSQL is another database cluster than the one whose events were published",
            Self::TimelineLeft => "PostgreSQL went on from before the last events that were published: they may tell of what it never kept",
            Self::LogBehind => "PostgreSQL's log ends before the last events that were published: it was restored to an earlier time",
            Self::SlotAhead => "the replication slot was made anew or moved: what was committed in between is not sent",
        })
    }
}

/// Where to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// After what was published.
    Resume(Position),
    /// In a new epoch.
    Begin(Position, Broken),
}

/// Decides. `epoch` is the number of a new one, unless the one before is not smaller.
#[must_use]
pub fn judge(stored: Option<Position>, server: &Server, epoch: u32) -> Verdict {
    let Some(stored) = stored else {
        return Verdict::Begin(server.begin(epoch, server.slot), Broken::NoPosition);
    };
    let next = epoch.max(stored.epoch.saturating_add(1));
    let begin = |from: u64, reason| Verdict::Begin(server.begin(next, from), reason);
    if stored.system != server.system {
        return begin(server.slot, Broken::OtherSystem);
    }
    // What was published of a transaction that has not been published whole reaches beyond its commit record's beginning.
    let reach = stored
        .partial
        .map_or(stored.lsn, |partial| partial.commit_lsn.saturating_add(1));
    if let Some(shared) = server.shares(stored.timeline) {
        if reach > shared {
            // Up to there it was published, and is true.
            return begin(server.slot.max(stored.lsn.min(shared)), Broken::TimelineLeft);
        }
    } else {
        return begin(server.slot, Broken::TimelineLeft);
    }
    if reach > server.end {
        return begin(server.slot, Broken::LogBehind);
    }
    if server.slot > stored.lsn {
        return begin(server.slot, Broken::SlotAhead);
    }
    Verdict::Resume(Position {
        timeline: server.timeline,
        ..stored
    })
}

impl Server {
    /// Up to where a timeline is part of this server's history; `None` when it is not.
    fn shares(&self, timeline: u32) -> Option<u64> {
        if timeline == self.timeline {
            return Some(u64::MAX);
        }
        let of = self.history.iter().find(|switch| switch.timeline == timeline)?;
        Some(of.lsn)
    }

    fn begin(&self, epoch: u32, lsn: u64) -> Position {
        Position {
            system: self.system.clone(),
            timeline: self.timeline,
            lsn,
            partial: None,
            epoch,
        }
    }
}

/// Reads a timeline history file: a line for each timeline before, with the place where it was left.
#[must_use]
pub fn history(text: &str) -> Vec<Switch> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some(Switch {
                timeline: words.next()?.parse().ok()?,
                lsn: lsn(words.next()?)?,
            })
        })
        .collect()
}

/// A place in the log as PostgreSQL writes it.
#[must_use]
pub fn lsn(text: &str) -> Option<u64> {
    let (high, low) = text.split_once('/')?;
    let part = |text| u64::from_str_radix(text, 16).ok().filter(|part| *part <= 0xffff_ffff);
    Some(part(high)? << 32 | part(low)?)
}

#[cfg(test)]
mod tests {
    use nova_events::Partial;

    use super::*;

    fn server() -> Server {
        Server {
            system: "7".to_owned(),
            timeline: 3,
            history: vec![Switch { timeline: 1, lsn: 100 }, Switch { timeline: 2, lsn: 200 }],
            end: 300,
            slot: 50,
        }
    }

    fn at(timeline: u32, lsn: u64) -> Position {
        Position {
            system: "7".to_owned(),
            timeline,
            lsn,
            partial: None,
            epoch: 4,
        }
    }

    fn broken(stored: Position, server: &Server) -> Option<(Broken, u64, u32)> {
        match judge(Some(stored), server, 2) {
            Verdict::Resume(_) => None,
            Verdict::Begin(position, reason) => Some((reason, position.lsn, position.epoch)),
        }
    }

    #[test]
    fn what_is_part_of_the_servers_history_is_continued() {
        for stored in [at(3, 300), at(3, 50), at(2, 200), at(1, 100), at(1, 50)] {
            let resumed = Verdict::Resume(Position {
                timeline: 3,
                ..stored.clone()
            });
            assert_eq!(judge(Some(stored), &server(), 9), resumed);
        }
    }

    #[test]
    fn what_is_not_begins_an_epoch() {
        assert_eq!(broken(at(2, 201), &server()), Some((Broken::TimelineLeft, 200, 5)));
        assert_eq!(broken(at(4, 60), &server()), Some((Broken::TimelineLeft, 50, 5)));
        assert_eq!(broken(at(3, 301), &server()), Some((Broken::LogBehind, 50, 5)));
        assert_eq!(broken(at(3, 49), &server()), Some((Broken::SlotAhead, 50, 5)));
        let other = Position {
            system: "8".to_owned(),
            ..at(3, 300)
        };
        assert_eq!(broken(other, &server()), Some((Broken::OtherSystem, 50, 5)));
    }

    #[test]
    fn a_part_of_a_transaction_that_was_left_is_a_phantom() {
        let with = |commit_lsn| Position {
            partial: Some(Partial { commit_lsn, next: 9 }),
            ..at(2, 150)
        };
        assert_eq!(broken(with(199), &server()), None);
        assert_eq!(broken(with(200), &server()), Some((Broken::TimelineLeft, 150, 5)));
    }

    #[test]
    fn epochs_only_grow_and_outlive_kafka() {
        let Verdict::Begin(position, Broken::NoPosition) = judge(None, &server(), 1_795_000_000) else {
            panic!("no position must begin an epoch");
        };
        assert_eq!((position.epoch, position.lsn), (1_795_000_000, 50));
        assert_eq!(broken(at(3, 301), &server()).map(|(_, _, epoch)| epoch), Some(5));
    }

    #[test]
    fn history_files_are_read() {
        let text = "1\t0/5000098\tno recovery target specified\n\n2\t1/A0\tno recovery target specified\n";
        assert_eq!(
            history(text),
            [
                Switch {
                    timeline: 1,
                    lsn: 0x500_0098
                },
                Switch {
                    timeline: 2,
                    lsn: 0x1_0000_00a0
                }
            ]
        );
        assert_eq!(lsn("1/100000000"), None);
        assert_eq!(lsn("0"), None);
    }
}
