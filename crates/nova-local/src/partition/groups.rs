//! Two control groups (version 2), one for the members on each side of a partition.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;

use super::{PartitionError, Sides};

/// nftables looks for groups below this, wherever the file system of groups is mounted.
const ROOT: &str = "/sys/fs/cgroup";
const PROCESSES: &str = "cgroup.procs";
const CUT: &str = "cut-off";
const OTHERS: &str = "others";
/// A group can be removed a moment after its last process has ended, which takes its time on a busy machine.
const EMPTY: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The groups of one platform; made only for the time of a partition, so that they say that there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Groups {
    mount: PathBuf,
    directory: PathBuf,
}

/// The groups as nftables knows them: paths below [`ROOT`], and their depth in the hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) cut: String,
    pub(super) others: String,
    pub(super) level: u32,
}

impl Groups {
    /// Those of a platform, made or not.
    pub(super) fn of(platform: &str) -> Result<Self, String> {
        let mounts = procfs::process::Process::myself().and_then(|process| process.mountinfo());
        let mounts = mounts.map_err(|error| format!("the mounted file systems cannot be read: {error}"))?;
        let found = mounts
            .into_iter()
            .find(|mount| mount.fs_type == "cgroup2" && mount.mount_point.starts_with(ROOT));
        match found {
            Some(mount) => Ok(Self::below(mount.mount_point, platform)),
            None => Err(format!(
                "control groups of version 2 are not mounted at or below {ROOT}; `mount -t cgroup2 none {ROOT}/unified` does \
                 it where an older system manages version 1"
            )),
        }
    }

    pub(super) fn below(mount: impl Into<PathBuf>, platform: &str) -> Self {
        let mount = mount.into();
        let directory = mount.join(format!("nova-drill-{platform}"));
        Self { mount, directory }
    }

    pub(super) fn exist(&self) -> bool {
        self.directory.exists()
    }

    pub(super) fn names(&self) -> Names {
        let name = |side: &str| {
            let path = self.directory.join(side);
            path.strip_prefix(ROOT).unwrap_or(&path).to_string_lossy().into_owned()
        };
        Names {
            cut: name(CUT),
            others: name(OTHERS),
            level: 2,
        }
    }

    pub(super) fn make(&self) -> Result<(), PartitionError> {
        for side in [CUT, OTHERS] {
            let path = self.directory.join(side);
            std::fs::create_dir_all(&path).map_err(|source| PartitionError::Group { path, source })?;
        }
        Ok(())
    }

    /// Whether all of these are in one of the groups.
    pub(super) fn hold(&self, processes: &[i32]) -> bool {
        let inside = |side: &str| inside(&self.directory.join(side)).unwrap_or_default();
        let (cut, others) = (inside(CUT), inside(OTHERS));
        processes.iter().all(|pid| cut.contains(pid) || others.contains(pid))
    }

    /// Brings everybody in. Returns how many were not yet.
    pub(super) fn take_in(&self, sides: &Sides) -> Result<usize, PartitionError> {
        let mut came = 0;
        for (name, side) in [(CUT, &sides.cut), (OTHERS, &sides.others)] {
            let group = self.directory.join(name);
            let of = |source| PartitionError::Group {
                path: group.clone(),
                source,
            };
            let already = inside(&group).map_err(of)?;
            for pid in side.processes.iter().filter(|pid| !already.contains(pid)) {
                came += 1;
                put(*pid, &group).map_err(of)?;
            }
        }
        Ok(came)
    }

    /// Lets everybody out, to the group where `home` is, and removes the groups.
    pub(super) fn dissolve(&self, home: Option<i32>) -> Result<(), PartitionError> {
        let home = home
            .and_then(|pid| self.group_of(pid))
            .unwrap_or_else(|| self.mount.clone());
        for side in [CUT, OTHERS] {
            let group = self.directory.join(side);
            let of = |source| PartitionError::Group {
                path: group.clone(),
                source,
            };
            let deadline = Instant::now() + EMPTY;
            while group.exists() {
                for pid in inside(&group).map_err(of)? {
                    // The group at home may have been removed meanwhile.
                    put(pid, &home).or_else(|_| put(pid, &self.mount)).map_err(of)?;
                }
                match std::fs::remove_dir(&group) {
                    Ok(()) => {}
                    Err(error) if error.raw_os_error() == Some(Errno::EBUSY as i32) && Instant::now() < deadline => {
                        std::thread::sleep(LOOK_EVERY);
                    }
                    Err(error) => return Err(of(error)),
                }
            }
        }
        match std::fs::remove_dir(&self.directory) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(PartitionError::Group {
                path: self.directory.clone(),
                source,
            }),
            _ => Ok(()),
        }
    }

    /// Where a process is now; `None` when that is one of these groups.
    fn group_of(&self, pid: i32) -> Option<PathBuf> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        let path = text.lines().find_map(|line| line.strip_prefix("0::/"))?;
        let group = self.mount.join(path);
        (!group.starts_with(&self.directory) && group.join(PROCESSES).exists()).then_some(group)
    }
}

fn inside(group: &Path) -> io::Result<BTreeSet<i32>> {
    let text = std::fs::read_to_string(group.join(PROCESSES))?;
    Ok(text.lines().filter_map(|line| line.parse().ok()).collect())
}

/// A process that has ended meanwhile is no error.
fn put(pid: i32, group: &Path) -> io::Result<()> {
    match std::fs::write(group.join(PROCESSES), pid.to_string()) {
        Err(error) if error.raw_os_error() != Some(Errno::ESRCH as i32) => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::Groups;

    #[test]
    fn nftables_is_told_paths_below_its_own_root() {
        let names = Groups::below("/sys/fs/cgroup/unified", "test").names();
        assert_eq!(names.cut, "unified/nova-drill-test/cut-off");
        assert_eq!(
            Groups::below("/sys/fs/cgroup", "test").names().others,
            "nova-drill-test/others"
        );
    }
}
