//! A full disk: one file in the directory of a member that is hit takes all that is left on its file system, and gives it back.
//!
//! Only where that file system holds nothing but the platform's own data: on any other, everything else on this machine would be out of
//! room as well.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::posix_fallocate;
use nix::sys::statvfs::fstatvfs;
use procfs::process::{MountInfo, Process};

use super::{LocalError, LocalTarget};
use crate::layout::FileError;
use crate::supervisor::MemberReport;

/// The file; its name tells whoever wonders where the room has gone.
const BALLAST: &str = "nova-drill-disk-full";
/// The smallest piece that is tried, in bytes: a block of most file systems.
const PIECE: i64 = 4096;

impl LocalTarget {
    /// Why the disk of these members is not one that a drill may fill; `None` when it is.
    pub(super) fn fill_refusal(&self, members: &[String]) -> Option<String> {
        let platform = self.layout.directory();
        let mounts = match Process::myself().and_then(|process| process.mountinfo()) {
            Ok(mounts) => mounts.0,
            Err(error) => {
                return Some(format!(
                    "fault disk-full is not available here: the mounted file systems cannot be read: {error}"
                ));
            }
        };
        let shared = members
            .iter()
            .find(|member| !is_the_platforms(&mounts, &self.layout.member(member), platform))?;
        Some(format!(
            "fault disk-full is not available here: the data of {shared} share their file system with other things than this platform, and \
             those would be out of room as well; mount one of its own at {}, before the platform is deployed, and try again",
            platform.display()
        ))
    }

    /// Takes what is left. Repeated, it takes what became free since.
    pub(super) fn fill(&self, hit: &[MemberReport]) -> Result<(), LocalError> {
        for report in hit {
            let path = self.layout.member(&report.launch.member).join(BALLAST);
            take_what_is_left(&path).map_err(|error| FileError::new("fill the file system with", &path, error))?;
        }
        Ok(())
    }

    /// Gives it back, also what a drill took that was killed. Returns whether there was anything to give.
    pub(super) fn empty(&self) -> Result<bool, LocalError> {
        let mut gave = false;
        for member in fs::read_dir(self.layout.members()).into_iter().flatten().flatten() {
            let path = member.path().join(BALLAST);
            match fs::remove_file(&path) {
                Ok(()) => gave = true,
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
                Err(error) => return Err(FileError::new("remove", &path, error).into()),
            }
        }
        Ok(gave)
    }
}

/// Whether a directory's file system is mounted at or below the platform's directory, whole, and nowhere else: not a part of a
/// larger one that is mounted there.
fn is_the_platforms(mounts: &[MountInfo], directory: &Path, platform: &Path) -> bool {
    let (Ok(directory), Ok(platform)) = (directory.canonicalize(), platform.canonicalize()) else {
        return false;
    };
    let above = mounts.iter().filter(|mount| directory.starts_with(&mount.mount_point));
    // The last one of the longest lies over the others.
    let Some(holds) = above.max_by_key(|mount| mount.mount_point.components().count()) else {
        return false;
    };
    let mut same = mounts.iter().filter(|mount| mount.majmin == holds.majmin);
    same.all(|mount| mount.root == "/" && mount.mount_point.starts_with(&platform))
}

/// Makes the file longer by ever smaller pieces, until not even the smallest one fits.
fn take_what_is_left(path: &Path) -> io::Result<()> {
    let file: File = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        // A member may have put a link there.
        .custom_flags(nix::libc::O_NOFOLLOW)
        .open(path)?;
    let mut end = i64::try_from(file.metadata()?.len()).unwrap_or(i64::MAX);
    let about = fstatvfs(&file)?;
    let left = about.blocks_free().saturating_mul(about.fragment_size());
    let mut piece = i64::try_from(left).unwrap_or(i64::MAX).max(PIECE);
    while piece >= PIECE {
        match posix_fallocate(&file, end, piece) {
            Ok(()) => end += piece,
            Err(Errno::ENOSPC | Errno::EDQUOT | Errno::EFBIG) => piece /= 2,
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]
mod tests {
    use std::path::Path;

    use procfs::process::MountInfo;

    use super::is_the_platforms;

    /// `(device, root, mount point)` of each.
    fn mounts(all: &[(&str, &str, &Path)]) -> Vec<MountInfo> {
        let line = |(device, root, at): &(&str, &str, &Path)| {
            let line = format!("36 35 {device} {root} {} rw - ext4 /dev/sdb rw", at.display());
            MountInfo::from_line(&line).unwrap()
        };
        all.iter().map(line).collect()
    }

    #[test]
    fn a_file_system_is_the_platforms_when_it_is_mounted_whole_and_there_only() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        let platform = home.join("nova");
        let member = platform.join("members/redis-1");
        std::fs::create_dir_all(&member).unwrap();
        let whole = |all: &[(&str, &str, &Path)]| is_the_platforms(&mounts(all), &member, &platform);
        let top = ("8:1", "/", Path::new("/"));
        assert!(whole(&[top, ("8:2", "/", &platform)]));
        assert!(whole(&[top, ("8:2", "/", &member)]));
        assert!(!whole(&[top]), "it lies on everybody's");
        assert!(!whole(&[top, ("8:2", "/", &home)]), "others lie on it");
        assert!(!whole(&[top, ("8:2", "/part", &platform)]), "a part of a larger one");
        assert!(
            !whole(&[top, ("8:2", "/", &platform), ("8:2", "/", Path::new("/mnt"))]),
            "seen elsewhere"
        );
        assert!(!whole(&[]));
        assert!(!is_the_platforms(
            &mounts(&[top, ("8:2", "/", &platform)]),
            &platform.join("absent"),
            &platform
        ));
    }
}
