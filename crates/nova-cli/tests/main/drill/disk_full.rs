//! A disk that is full: the stores on it lose nothing acknowledged, and are whole again when there is room. Nobody else's disk is
//! ever filled.

use std::path::PathBuf;
use std::process::Command;

use super::drill;
use crate::long::Long;
use crate::support::TestPlatform;

pub(super) fn a_disk_that_others_share_is_not_filled(platform: &TestPlatform) {
    let call = platform
        .nova(&["drill", "postgres", "--fault", "disk-full"])
        .expect_code(2);
    assert!(call.stderr.contains("share their file system"), "{}", call.stderr);
}

/// Only root can mount one.
#[test]
fn stores_on_a_full_disk_lose_nothing_and_return() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("not root: there is no file system to fill");
        return;
    }
    let OnADisk { platform, disk } = &OnADisk::new();
    platform.nova(&["deploy", "--yes"]).expect_code(0);
    for store in Long::EveryStoresDiskIsFull.of(vec!["postgres", "redis", "kafka"], 1) {
        let report = drill(platform, &[store, "--fault", "disk-full", "--for", "5s", "--seed", "7"]);
        assert_eq!(report["drills"][0]["fault"], "disk-full");
        assert_eq!(disk.ballast(), Vec::<PathBuf>::new());
    }
    platform.nova(&["cleanup", "--data", "--yes"]).expect_code(0);
    assert_eq!(disk.0.read_dir().unwrap().count(), 0, "it stays, and is empty");
}

/// A platform on a disk of its own.
struct OnADisk {
    platform: TestPlatform,
    disk: Disk,
}

impl OnADisk {
    fn new() -> Self {
        let platform = TestPlatform::new();
        let disk = Disk::at(platform.state());
        Self { platform, disk }
    }
}

/// A test that fails leaves nothing running on a disk that goes; one that passes has cleaned up, and this finds nothing.
impl Drop for OnADisk {
    fn drop(&mut self) {
        self.platform.nova(&["cleanup", "--data", "--yes"]);
        self.disk.unmount();
    }
}

/// A file system in memory.
struct Disk(PathBuf);

impl Disk {
    fn at(path: PathBuf) -> Self {
        std::fs::create_dir_all(&path).unwrap();
        let disk = Self(path);
        disk.run("mount", &["-t", "tmpfs", "-o", "size=2g,mode=755", "nova-test"]);
        disk
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let status = Command::new(program).args(arguments).arg(&self.0).status();
        assert!(status.unwrap().success(), "{program}");
    }

    fn unmount(&self) {
        self.run("umount", &["--lazy"]);
        let _ = std::fs::remove_dir(&self.0);
    }

    /// What a drill filled it with.
    fn ballast(&self) -> Vec<PathBuf> {
        let members = self.0.join("members").read_dir().unwrap();
        let files = members.map(|member| member.unwrap().path().join("nova-drill-disk-full"));
        files.filter(|file| file.exists()).collect()
    }
}
