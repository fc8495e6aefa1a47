//! Where tests break a member: at a step, the n-th time that it comes there, it crashes, hangs, or goes on late.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// What a member does, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The slot is its own.
    Owned,
    /// No other member can write any more.
    Fenced,
    /// It knows where to go on.
    Judged,
    /// The synchronous standbys have what it is about to publish.
    Settled,
    /// All records of a transaction are with the brokers, which was not committed yet.
    Sent,
    /// It is committed, and PostgreSQL was not told yet.
    Committed,
    /// PostgreSQL was told.
    Acknowledged,
}

const STEPS: [(&str, Step); 7] = [
    ("owned", Step::Owned),
    ("fenced", Step::Fenced),
    ("judged", Step::Judged),
    ("settled", Step::Settled),
    ("sent", Step::Sent),
    ("committed", Step::Committed),
    ("acknowledged", Step::Acknowledged),
];

/// How long a member that is late is late, and how long one that hangs.
const LATE: Duration = Duration::from_millis(700);
const HANG: Duration = Duration::from_secs(12);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Crash,
    Hang,
    Late,
}

/// One place where a member is broken. Copies count together.
#[derive(Clone, Debug)]
pub struct Failpoint {
    step: Step,
    action: Action,
    time: u32,
    seen: Arc<AtomicU32>,
}

impl FromStr for Failpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no failpoint; write it like committed:crash:3");
        let mut words = text.split(':');
        let (Some(step), Some(action), Some(time), None) = (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(wrong());
        };
        let action = match action {
            "crash" => Action::Crash,
            "hang" => Action::Hang,
            "late" => Action::Late,
            _ => return Err(wrong()),
        };
        let (_, step) = STEPS.iter().find(|(name, _)| *name == step).ok_or_else(wrong)?;
        Ok(Self {
            step: *step,
            action,
            time: time.parse().map_err(|_| wrong())?,
            seen: Arc::default(),
        })
    }
}

/// Comes to a step. Blocks the thread, as a process that hangs does.
pub(crate) fn reach(failpoint: Option<&Failpoint>, step: Step) {
    let Some(point) = failpoint.filter(|point| point.step == step) else {
        return;
    };
    if point.seen.fetch_add(1, Ordering::Relaxed) + 1 != point.time {
        return;
    }
    match point.action {
        Action::Crash => std::process::abort(),
        Action::Hang => std::thread::sleep(HANG),
        Action::Late => std::thread::sleep(LATE),
    }
}

#[cfg(test)]
mod tests {
    use super::{Failpoint, STEPS};

    #[test]
    fn they_are_written_as_they_are_read() {
        for (name, step) in STEPS {
            let point: Failpoint = format!("{name}:hang:2").parse().expect("a failpoint");
            assert_eq!((point.step, point.time), (step, 2));
        }
        for wrong in [
            "",
            "sent",
            "sent:crash",
            "sent:crash:x",
            "sent:burn:1",
            "spent:crash:1",
            "sent:crash:1:2",
        ] {
            assert!(wrong.parse::<Failpoint>().is_err(), "{wrong:?}");
        }
    }
}
