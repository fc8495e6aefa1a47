//! Watches a container's Sentinel, from the first process, and has it started anew when it is of no use: the others have left it behind
//! ([`crate::sentinel_behind`]), or it spins.
//!
//! Spinning, as seen with Redis 8.0 on Kubernetes: it connects to a Service without an endpoint, and the node's refusal arrives while
//! `connect` still runs. The kernel keeps it in the socket's error queue, which the server never reads, and tries again; when that
//! succeeds, every wait for events ends at once from then on. The Sentinel works, and takes as much of the processor as it may, for ever.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::place::Place;
use crate::probe;
use crate::redis_view::is_called;
use crate::sentinel_behind::{self, Behind};
use crate::start::{MASTER_NAME, Start};

/// The name that the kernel has for a Sentinel, too.
const SERVER: &str = "redis-server";
const ROUND: Duration = Duration::from_secs(1);
/// Of the times in `/proc`: `USER_HZ`, which is the same on every machine that Nova is built for.
const TICKS_A_SECOND: u64 = 100;
/// Of a processor, in percent. A Sentinel that watches one master takes less than two; its container's limit leaves a spinning one no
/// more than twenty.
const TOO_MUCH: u64 = 10;
/// Rounds in a row that count: a start takes less, and so does a failover.
const SPINS: u32 = 3;
/// Rounds in a row after which it is started anew even while a master is down.
const SPINS_AT_MOST: u32 = 30;
/// At least between two starts: where it spins again at once, it must work in between.
const LEAVE: Duration = Duration::from_secs(5);
/// What a Sentinel calls a master that it judges or replaces, which a start would interrupt.
const BUSY: [&str; 3] = ["s_down", "o_down", "failover_in_progress"];

/// Begins to watch. What is returned becomes true before the Sentinel is told to end; whoever starts it anew makes it false.
#[must_use]
pub fn begin(place: &Place) -> Arc<AtomicBool> {
    let is_to_return = Arc::new(AtomicBool::new(false));
    let (told, place) = (Arc::clone(&is_to_return), place.clone());
    thread::spawn(move || {
        loop {
            let (server, reason) = useless(&place);
            println!("nova: the Sentinel is started anew: {reason}");
            told.store(true, Ordering::SeqCst);
            let _ = kill(server, Signal::SIGTERM);
            thread::sleep(LEAVE);
        }
    });
    is_to_return
}

/// Returns when the Sentinel is of no use, and why.
fn useless(place: &Place) -> (Pid, String) {
    let mut behind = Behind::default();
    let (mut spins, mut asked) = (0, Instant::now());
    let (mut last, mut seen) = (server(), Instant::now());
    loop {
        thread::sleep(ROUND);
        let (before, since) = (last, seen);
        (last, seen) = (server(), Instant::now());
        let (Some((pid, before)), Some((same, after))) = (before, last) else {
            continue;
        };
        let percent = if same == pid {
            share(after.saturating_sub(before), seen - since)
        } else {
            0
        };
        spins = if percent > TOO_MUCH { spins + 1 } else { 0 };
        if spins >= SPINS && (spins >= SPINS_AT_MOST || !is_busy(place)) {
            return (
                pid,
                format!("it takes {percent} % of a processor, and has nothing to do"),
            );
        }
        if asked.elapsed() >= sentinel_behind::EVERY {
            asked = Instant::now();
            if let Some(reason) = behind.look(place) {
                return (pid, reason);
            }
        }
    }
}

/// Whether it says that it judges the master or replaces it.
fn is_busy(place: &Place) -> bool {
    let mut busy = false;
    let asked = Start::read(place).and_then(|start| {
        probe::ask(&start, &start.sentinel_password, |connection| {
            let reply = connection.ask(&["SENTINEL", "MASTER", MASTER_NAME])?;
            busy = is_called(&reply, &BUSY);
            Ok(Ok(()))
        })
    });
    asked.is_ok() && busy
}

/// In percent of one processor.
fn share(ticks: u64, over: Duration) -> u64 {
    let all = u64::try_from(over.as_millis()).unwrap_or(u64::MAX) * TICKS_A_SECOND / 1000;
    ticks * 100 / all.max(1)
}

/// The container's server, and the processor time that it has taken.
fn server() -> Option<(Pid, u64)> {
    let processes = fs::read_dir("/proc").ok()?.flatten();
    processes
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let ticks = of_server(&stat(&entry.path()).ok()?)?;
            Some((Pid::from_raw(pid), ticks))
        })
        .next()
}

fn stat(process: &Path) -> io::Result<String> {
    fs::read_to_string(process.join("stat"))
}

/// Of one process's `stat` (proc(5)): its user and system time when it is a server.
fn of_server(stat: &str) -> Option<u64> {
    let (_, after) = stat.split_once('(')?;
    let (name, after) = after.rsplit_once(')')?;
    let mut times = after.split_whitespace().skip(11);
    let (user, system) = (times.next()?.parse::<u64>().ok()?, times.next()?.parse::<u64>().ok()?);
    (name == SERVER).then_some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_time_is_told_from_everybody_elses() {
        let stat = |name| format!("7 ({name}) S 1 7 7 0 -1 4194560 5051 0 0 0 40 10 0 0 20 0 5 0 100");
        assert_eq!(of_server(&stat("redis-server")), Some(50));
        assert_eq!(of_server(&stat("a) b (c")), None);
        assert_eq!(of_server("7 (redis-server) S 1"), None);
        assert_eq!(of_server(""), None);
    }

    #[test]
    fn half_a_processor_is_too_much_and_a_sentinels_work_is_not() {
        let second = Duration::from_secs(1);
        assert!(share(50, second) > TOO_MUCH && share(2, second) < TOO_MUCH);
        // A watch that slept longer counts the longer time.
        assert_eq!(share(50, 2 * second), 25);
    }
}
