//! What the control group that we are in allows, which may be less than the machine has: a container, a systemd slice.

use std::fs;
use std::path::{Path, PathBuf};

/// Where control groups are mounted.
pub(super) const MOUNT: &str = "/sys/fs/cgroup";

/// Bytes of memory; `None` when nothing limits them.
pub(super) fn memory(mount: &Path, own: &str) -> Option<u64> {
    least(mount, own, "memory", "memory.max", "memory.limit_in_bytes")
}

/// Processes and threads; `None` when nothing limits them.
pub(super) fn tasks(mount: &Path, own: &str) -> Option<u64> {
    least(mount, own, "pids", "pids.max", "pids.max")
}

/// Which groups we are in, as the kernel writes it.
pub(super) fn own() -> String {
    fs::read_to_string("/proc/self/cgroup").unwrap_or_default()
}

/// The smallest limit of our group and those above it, in either version of control groups.
fn least(mount: &Path, own: &str, controller: &str, second: &str, first: &str) -> Option<u64> {
    let limits = own.lines().flat_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, group) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        let (roots, file) = if controllers.is_empty() {
            (vec![mount.to_owned(), mount.join("unified")], second)
        } else if controllers.split(',').any(|one| one == controller) {
            (vec![mount.join(controller), mount.join(controllers)], first)
        } else {
            (Vec::new(), first)
        };
        roots.into_iter().flat_map(move |root| limits_of(&root, group, file))
    });
    // Version 1 has a number near 2^63 where there is no limit.
    limits.filter(|limit| *limit < 1 << 60).min()
}

fn limits_of(root: &Path, group: &str, file: &str) -> Vec<u64> {
    let mut directory: PathBuf = root.join(group.trim_start_matches('/'));
    let mut limits = Vec::new();
    loop {
        let limit = fs::read_to_string(directory.join(file)).ok();
        limits.extend(limit.and_then(|text| text.trim().parse::<u64>().ok()));
        if directory == root || !directory.pop() {
            return limits;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, path: &str, text: &str) -> Result<(), std::io::Error> {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap_or(root))?;
        fs::write(path, text)
    }

    #[test]
    fn the_smallest_limit_on_the_way_up_counts() -> Result<(), Box<dyn std::error::Error>> {
        let mount = tempfile::tempdir()?;
        let root = mount.path();
        write(root, "a/b/memory.max", "max\n")?;
        write(root, "a/memory.max", "1000\n")?;
        write(root, "memory.max", "2000\n")?;
        write(root, "a/b/pids.max", "77\n")?;
        assert_eq!(memory(root, "0::/a/b\n"), Some(1000));
        assert_eq!(tasks(root, "0::/a/b\n"), Some(77));
        // In a container the group is its own root.
        assert_eq!(memory(root, "0::/\n"), Some(2000));
        assert_eq!(memory(root, "0::/elsewhere\n"), Some(2000));
        assert_eq!(tasks(root, "0::/a\n"), None);
        Ok(())
    }

    #[test]
    fn the_first_version_is_understood_and_its_no_limit_is_none() -> Result<(), Box<dyn std::error::Error>> {
        let mount = tempfile::tempdir()?;
        let root = mount.path();
        write(root, "memory/box/memory.limit_in_bytes", "4096\n")?;
        write(root, "memory/memory.limit_in_bytes", "9223372036854771712\n")?;
        let own = "12:pids:/box\n5:memory:/box\n1:name=systemd:/box\n0::/box\n";
        assert_eq!(memory(root, own), Some(4096));
        assert_eq!(memory(root, "5:memory:/\n"), None);
        assert_eq!(tasks(root, own), None);
        assert_eq!(memory(root, "no such thing"), None);
        Ok(())
    }
}
