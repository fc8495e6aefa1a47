//! Ends a member: in good order first, then for certain, and looks afterwards.

use std::io;
use std::time::Duration;

use rustix::process::Signal;
use tokio::time::{Instant, sleep, timeout_at};

use super::family::program;
use super::{Family, Handle, Identity, Table};
use crate::plan::StopSignal;

/// Time that programs left behind get to end in good order.
const LEFT_BEHIND: Duration = Duration::from_secs(3);
/// Time within which the kernel must have ended what was killed.
const KILL: Duration = Duration::from_secs(5);
/// Pause between two looks at what has not ended.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How a member is asked to end.
#[derive(Debug, Clone, Copy)]
pub struct Ending {
    /// What its main process is sent first.
    pub signal: StopSignal,
    /// How long it may take before everything is killed.
    pub grace: Duration,
}

/// Processes that outlived being killed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} did not end within {limit} s of being killed; something holds it in the kernel, look at its state in /proc", limit = KILL.as_secs())]
pub struct Survivors(String);

/// Ends the main process and everything that belongs to it. Returns once none of it runs.
///
/// # Errors
/// When something outlives being killed.
pub async fn end_member(family: &Family, uid: u32, ending: Ending) -> Result<(), Survivors> {
    let deadline = Instant::now() + ending.grace;
    let main = family.main.and_then(|main| main.handle().ok().flatten());
    if let Some(main) = main {
        let _ = main.signal(ending.signal.into());
        let _ = timeout_at(deadline, main.ended()).await;
    }
    let left = Table::read(uid).of(family);
    let still_main = family.main.is_some_and(|main| left.contains(&main));
    if !still_main {
        end_left_behind(family, uid, &left, deadline).await;
    }
    end_strays(family, uid, false).await
}

/// Programs that outlived their main process are asked to end first: killing PostgreSQL leaves shared memory behind.
async fn end_left_behind(family: &Family, uid: u32, left: &[Identity], deadline: Instant) {
    let left = Table::named(left, &family.children);
    if left.is_empty() {
        return;
    }
    let deadline = deadline.min(Instant::now() + LEFT_BEHIND);
    let asked = handles(&Table::read(uid).roots(&left));
    for process in &asked {
        let _ = process.signal(Signal::INT);
    }
    for process in &asked {
        let _ = timeout_at(deadline, process.ended()).await;
    }
}

/// Kills whatever belongs to a member, except, when `spare_children`, the programs that it may find again and take over.
///
/// # Errors
/// When something outlives being killed.
pub async fn end_strays(family: &Family, uid: u32, spare_children: bool) -> Result<(), Survivors> {
    let strays = |table: &Table| {
        let mut strays = table.of(family);
        if spare_children {
            let spared = Table::named(&strays, &family.children);
            strays.retain(|stray| !spared.contains(stray));
        }
        strays
    };
    end_all(uid, strays).await
}

/// Kills the processes that `find` finds, until it finds none that lives.
///
/// # Errors
/// When something outlives being killed.
pub async fn end_all(uid: u32, find: impl Fn(&Table) -> Vec<Identity>) -> Result<(), Survivors> {
    let deadline = Instant::now() + KILL;
    loop {
        let mut found = find(&Table::read(uid));
        found.retain(Identity::is_alive);
        if found.is_empty() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(Survivors(describe(&found)));
        }
        let killed = handles(&found);
        for process in &killed {
            let _ = process.signal(Signal::KILL);
        }
        // Repeated, since a dying process may have started another one meanwhile.
        for process in &killed {
            let _ = timeout_at(deadline, process.ended()).await;
        }
    }
}

/// Returns once it is certain that nothing of a member runs any more, and kills nothing. It may never return: whoever calls it
/// bounds it.
///
/// That is seen by whoever owns these processes, in the process table of the kernel that runs them. What cannot be read leaves
/// it open. See decision 10 before weakening anything here.
pub async fn nothing_left(family: &Family, uid: u32) {
    let mut empty_before = false;
    loop {
        let found = Table::read_whole(uid).and_then(|table| table.certainly_of(family));
        match found {
            // A table is not read in one instant: what a dying process started meanwhile shows in a second look.
            Ok(found) if found.is_empty() && empty_before => return,
            Ok(found) if found.is_empty() => empty_before = true,
            Ok(found) => {
                empty_before = false;
                for process in handles(&found) {
                    let _ = process.ended().await;
                }
                sleep(LOOK_EVERY).await;
            }
            Err(_) => {
                empty_before = false;
                sleep(LOOK_EVERY).await;
            }
        }
    }
}

/// Sends a signal to each of these processes; those that have ended meanwhile are no error.
///
/// # Errors
/// When one belongs to another user.
pub fn signal_all(processes: &[Identity], signal: Signal) -> io::Result<()> {
    handles(processes).iter().try_for_each(|process| process.signal(signal))
}

fn handles(processes: &[Identity]) -> Vec<Handle> {
    let handle = |process: &Identity| -> io::Result<Option<Handle>> { process.handle() };
    processes
        .iter()
        .filter_map(|process| handle(process).ok().flatten())
        .collect()
}

fn describe(processes: &[Identity]) -> String {
    let one = |process: &Identity| {
        let program = program(process.pid).unwrap_or_else(|| "unknown program".to_owned());
        format!("process {} ({program})", process.pid)
    };
    processes.iter().map(one).collect::<Vec<_>>().join(", ")
}

impl From<StopSignal> for Signal {
    fn from(signal: StopSignal) -> Self {
        match signal {
            StopSignal::Term => Self::TERM,
            StopSignal::Int => Self::INT,
            StopSignal::Usr1 => Self::USR1,
        }
    }
}
