//! Whether a container's Sentinel spins.
//!
//! Seen with Redis 8.0 on Kubernetes: a Sentinel connects to a Service without an endpoint, and the node's refusal arrives while the
//! connection is tried anew. It stays in the socket's error queue, which the server never reads, and from then on every wait for
//! events ends at once. The Sentinel works, and takes as much of the processor as it may, for ever.

use std::thread;
use std::time::Duration;
use std::{fs, io};

/// The name that the kernel has for a Sentinel, too.
const SERVER: &str = "redis-server";
/// Of the times in `/proc`: `USER_HZ`, which is the same on every machine that Nova is built for.
const TICKS_A_SECOND: u64 = 100;
const WATCHED_FOR: Duration = Duration::from_secs(1);
/// Of `WATCHED_FOR`, in percent. A Sentinel that watches one master takes less than two; a container's limit may leave a spinning one
/// no more than fifty.
const TOO_MUCH: u64 = 25;

/// Watches it for a second; the reason when it spins. One that cannot be seen does not.
pub(super) fn look() -> Option<String> {
    let before = ticks().ok()?;
    thread::sleep(WATCHED_FOR);
    let taken = ticks().ok()?.checked_sub(before)?;
    let percent = taken * 100 / (TICKS_A_SECOND * WATCHED_FOR.as_secs());
    (percent > TOO_MUCH).then(|| format!("it takes {percent} % of a processor, and has nothing to do"))
}

/// The processor time that the container's server has taken, in the kernel's ticks.
fn ticks() -> io::Result<u64> {
    let mut all = 0;
    for entry in fs::read_dir("/proc")? {
        // Processes come and go, and much else is listed there.
        let stat = fs::read_to_string(entry?.path().join("stat")).unwrap_or_default();
        all += of_server(&stat).unwrap_or(0);
    }
    Ok(all)
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
}
