//! A full disk: one file in the directory of a member that is hit takes all that is left on its file system, and gives it back.
//!
//! Only where that file system holds nothing but the platform's own data: on any other, everything else on this machine would be out of
//! room as well.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::posix_fallocate;
use nix::sys::statvfs::fstatvfs;

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
        let outside = device(platform.parent().unwrap_or(platform));
        let shared = members
            .iter()
            .find(|member| device(&self.layout.member(member)) == outside)?;
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

/// Which file system a directory is on; `None` when there is no such directory.
fn device(directory: &Path) -> Option<u64> {
    fs::metadata(directory).ok().map(|metadata| metadata.dev())
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
    use super::device;

    #[test]
    fn another_file_system_is_told_by_its_device() {
        let here = tempfile::tempdir().unwrap();
        let below = here.path().join("below");
        std::fs::create_dir(&below).unwrap();
        assert_eq!(device(&below), device(here.path()));
        assert_ne!(device(std::path::Path::new("/proc")), device(here.path()));
        assert_eq!(device(&below.join("absent")), None);
    }
}
