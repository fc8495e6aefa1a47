//! The machine itself, or what of it we are allowed: the members' user, memory, disk, programs on it, processes, files that a
//! process may open.

use std::fs;
use std::path::Path;

use nix::sys::resource::{Resource, getrlimit};
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::User;
use nova_platform::spec::Spec;

use super::{Finding, cgroup};
use crate::layout::Layout;

const MIB: u64 = 1 << 20;
const MEMORY: u64 = 1536 * MIB;
const DISK: u64 = 2048 * MIB;
/// The gateway alone holds two connections a client.
const FILES: u64 = 4096;
/// Threads count as well: a broker alone has some ninety.
const TASKS: u64 = 1024;

pub(super) fn inspect(spec: &Spec) -> Vec<Finding> {
    let user = nix::unistd::geteuid().is_root().then(|| members_user(&spec.local.user));
    let own = cgroup::own();
    let layout = Layout::of(&spec.platform.name).ok();
    let place = layout
        .as_ref()
        .and_then(|layout| layout.directory().ancestors().find(|path| path.exists()))
        .unwrap_or(Path::new("/"));
    user.into_iter()
        .chain([memory(&own), disk(place), programs_run(place), files(), tasks(&own)])
        .collect()
}

fn finding(name: &str, ok: bool, found: Option<String>, wanted: String, why: &str, install: &str) -> Finding {
    Finding {
        name: name.to_owned(),
        ok,
        found,
        wanted,
        why: why.to_owned(),
        install: install.to_owned(),
    }
}

fn members_user(name: &str) -> Finding {
    let user = User::from_name(name).ok().flatten();
    finding(
        "system user",
        user.as_ref().is_some_and(|user| !user.uid.is_root()),
        user.map(|user| format!("{name} (uid {})", user.uid)),
        name.to_owned(),
        "no member runs as root, and PostgreSQL refuses to",
        &format!(
            "useradd --system --user-group --no-create-home --home-dir /var/lib/nova --shell /usr/sbin/nologin {name}"
        ),
    )
}

fn memory(own: &str) -> Finding {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    judge_memory(total_memory(&text), cgroup::memory(Path::new(cgroup::MOUNT), own))
}

fn judge_memory(total: Option<u64>, allowed: Option<u64>) -> Finding {
    let limited = allowed.filter(|allowed| total.is_none_or(|total| *allowed < total));
    let (least, found) = match limited {
        Some(allowed) => (
            Some(allowed),
            Some(format!("{} MiB allowed by the control group", allowed / MIB)),
        ),
        None => (total, total.map(|total| format!("{} MiB", total / MIB))),
    };
    finding(
        "memory",
        // A machine that does not say is given the benefit of the doubt.
        least.is_none_or(|least| least >= MEMORY),
        found,
        format!(">= {} MiB", MEMORY / MIB),
        "three of each store, and the services",
        if limited.is_some() {
            "raise the limit of the container or slice that this runs in (memory.max), or have fewer members in nova.toml"
        } else {
            "use a larger machine, or fewer members in nova.toml"
        },
    )
}

fn total_memory(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.split_whitespace()
        .next()?
        .parse::<u64>()
        .ok()
        .map(|kilobytes| kilobytes * 1024)
}

fn disk(place: &Path) -> Finding {
    let free = statvfs(place)
        .ok()
        .map(|at| at.blocks_available().saturating_mul(at.fragment_size()));
    finding(
        "disk space",
        free.is_none_or(|free| free >= DISK),
        free.map(|free| format!("{} MiB free in {}", free / MIB, place.display())),
        format!(">= {} MiB", DISK / MIB),
        "data, write-ahead logs and logs of every member",
        "make room, or point XDG_STATE_HOME to a larger file system",
    )
}

/// The members' programs are copied into the state directory, so that a build does not change what runs.
fn programs_run(place: &Path) -> Finding {
    judge_programs(place, statvfs(place).ok().map(|at| at.flags()))
}

fn judge_programs(place: &Path, flags: Option<FsFlags>) -> Finding {
    let ok = flags.is_none_or(|flags| !flags.contains(FsFlags::ST_NOEXEC));
    let how = if ok { "programs can run" } else { "mounted noexec" };
    finding(
        "state directory",
        ok,
        Some(format!("{how} in {}", place.display())),
        "a file system where programs can run".to_owned(),
        "the members' programs are copied there",
        "mount it without noexec, or point XDG_STATE_HOME to another file system",
    )
}

fn files() -> Finding {
    let hard = getrlimit(Resource::RLIMIT_NOFILE).ok().map(|(_, hard)| hard);
    limit(
        "open files",
        hard,
        FILES,
        "connections of the gateway and files of the stores",
        "raise the hard limit, for example in /etc/security/limits.conf (nofile)",
    )
}

/// Of this user, and of the control group.
fn tasks(own: &str) -> Finding {
    let soft = getrlimit(Resource::RLIMIT_NPROC).ok().map(|(soft, _)| soft);
    let group = cgroup::tasks(Path::new(cgroup::MOUNT), own);
    limit(
        "processes",
        soft.into_iter().chain(group).min(),
        TASKS,
        "processes and threads of all members",
        "raise the limit, for example in /etc/security/limits.conf (nproc), or of the container or slice (pids.max, TasksMax)",
    )
}

fn limit(name: &str, found: Option<u64>, wanted: u64, why: &str, install: &str) -> Finding {
    let words = |limit: u64| {
        if limit > 1 << 40 {
            "unlimited".to_owned()
        } else {
            limit.to_string()
        }
    };
    finding(
        name,
        found.is_none_or(|limit| limit >= wanted),
        found.map(words),
        format!(">= {wanted}"),
        why,
        install,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_and_garbage_is_not() {
        assert_eq!(total_memory("MemTotal:        2048 kB\nMemFree: 1 kB\n"), Some(2 << 20));
        assert_eq!(total_memory("MemTotal: much"), None);
        assert_eq!(total_memory(""), None);
    }

    #[test]
    fn a_control_group_smaller_than_the_platform_is_told() {
        let small = judge_memory(Some(8 * MEMORY), Some(512 * MIB));
        assert!(!small.ok && small.install.contains("memory.max"), "{small:?}");
        assert_eq!(small.found.as_deref(), Some("512 MiB allowed by the control group"));
        assert!(judge_memory(Some(8 * MEMORY), Some(9 * MEMORY)).ok);
        assert!(judge_memory(Some(8 * MEMORY), None).ok);
        assert!(!judge_memory(Some(MIB), None).ok);
        assert!(judge_memory(None, None).ok);
    }

    #[test]
    fn a_state_directory_without_programs_is_told() {
        let there = Path::new("/var/lib");
        let noexec = judge_programs(there, Some(FsFlags::ST_NOEXEC | FsFlags::ST_NOSUID));
        assert!(!noexec.ok && noexec.found.is_some_and(|found| found.contains("noexec")));
        assert!(judge_programs(there, Some(FsFlags::ST_NOSUID)).ok);
        assert!(judge_programs(there, None).ok);
    }

    #[test]
    fn few_processes_or_files_are_told() {
        let few = limit("processes", Some(200), TASKS, "", "");
        assert!(!few.ok && few.found.as_deref() == Some("200"), "{few:?}");
        assert!(limit("processes", None, TASKS, "", "").ok);
        let unlimited = limit("open files", Some(u64::MAX), FILES, "", "");
        assert!(unlimited.ok && unlimited.found.as_deref() == Some("unlimited"));
    }
}
