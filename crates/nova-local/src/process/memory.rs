//! How much memory a member takes.

use procfs::process::Process;

use super::Identity;

/// Resident bytes of these processes, pages that they share counted in proportion where that may be read.
#[must_use]
pub fn member_bytes(processes: &[Identity]) -> u64 {
    processes.iter().filter_map(|process| bytes(process.pid)).sum()
}

fn bytes(pid: i32) -> Option<u64> {
    proportional(pid).or_else(|| resident(pid))
}

/// `Pss` of `/proc/PID/smaps_rollup`, which is readable for the same user and for root.
fn proportional(pid: i32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

fn resident(pid: i32) -> Option<u64> {
    let stat = Process::new(pid).and_then(|process| process.stat()).ok()?;
    Some(stat.rss * procfs::page_size())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

    use super::{Identity, member_bytes};

    #[test]
    fn a_running_process_takes_memory_and_a_dead_one_none() {
        let me = Identity::of(std::process::id().cast_signed()).unwrap();
        assert!(member_bytes(&[me]) > 100_000);
        assert_eq!(
            member_bytes(&[Identity {
                pid: i32::MAX,
                start: 0
            }]),
            0
        );
    }
}
