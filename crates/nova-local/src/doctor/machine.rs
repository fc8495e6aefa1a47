//! The machine itself: the members' user, memory, disk, files that a process may open.

use std::fs;
use std::path::Path;

use nix::sys::resource::{Resource, getrlimit};
use nix::sys::statvfs::statvfs;
use nix::unistd::User;
use nova_platform::spec::Spec;

use super::Finding;
use crate::layout::Layout;

const MIB: u64 = 1 << 20;
const MEMORY: u64 = 1536 * MIB;
const DISK: u64 = 2048 * MIB;
/// The gateway alone holds two connections a client.
const FILES: u64 = 4096;

pub(super) fn inspect(spec: &Spec) -> Vec<Finding> {
    let user = nix::unistd::geteuid().is_root().then(|| members_user(&spec.local.user));
    user.into_iter().chain([memory(), disk(spec), files()]).collect()
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

fn memory() -> Finding {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = total_memory(&text);
    finding(
        "memory",
        // A machine that does not say is given the benefit of the doubt.
        total.is_none_or(|total| total >= MEMORY),
        total.map(|total| format!("{} MiB", total / MIB)),
        format!(">= {} MiB", MEMORY / MIB),
        "three of each store, and the services",
        "use a larger machine, or fewer members in nova.toml",
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

fn disk(spec: &Spec) -> Finding {
    let layout = Layout::of(&spec.platform.name).ok();
    let place = layout
        .as_ref()
        .and_then(|layout| layout.directory().ancestors().find(|path| path.exists()))
        .unwrap_or(Path::new("/"));
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

fn files() -> Finding {
    let hard = getrlimit(Resource::RLIMIT_NOFILE).ok().map(|(_, hard)| hard);
    finding(
        "open files",
        hard.is_none_or(|hard| hard >= FILES),
        hard.map(|hard| {
            if hard > 1 << 40 {
                "unlimited".to_owned()
            } else {
                hard.to_string()
            }
        }),
        format!(">= {FILES}"),
        "connections of the gateway and files of the stores",
        "raise the hard limit, for example in /etc/security/limits.conf",
    )
}

#[cfg(test)]
mod tests {
    use super::total_memory;

    #[test]
    fn memory_is_read_and_garbage_is_not() {
        assert_eq!(total_memory("MemTotal:        2048 kB\nMemFree: 1 kB\n"), Some(2 << 20));
        assert_eq!(total_memory("MemTotal: much"), None);
        assert_eq!(total_memory(""), None);
    }
}
