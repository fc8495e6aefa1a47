//! A platform of a test's own: name, loopback network and gateway address that nobody else uses, removed at its end.

pub(crate) mod ledger;
mod room;

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use nova_local::layout::Layout;
use nova_local::supervisor::LockFile;
use serde_json::Value;

pub(crate) use crate::call::Call;
use room::Room;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A description in a directory of its own; nothing runs until it is deployed.
pub(crate) struct TestPlatform {
    directory: tempfile::TempDir,
    name: String,
    network: String,
    gateway: String,
    /// Given back after the cleanup.
    _room: Option<Room>,
}

impl TestPlatform {
    /// One that will run: waits until there is room for it.
    pub(crate) fn new() -> Self {
        Self::in_room(Room::one())
    }

    /// One beside which no other runs.
    pub(crate) fn alone() -> Self {
        Self::in_room(Room::all())
    }

    fn in_room(room: Room) -> Self {
        let mut platform = Self::described("");
        platform._room = Some(room);
        platform
    }

    /// One that is only described, with further lines of nova.toml.
    pub(crate) fn described(more: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let ordinal = NEXT.fetch_add(1, Ordering::Relaxed);
        let process = u16::try_from(std::process::id() % 60_000).unwrap();
        // 127.128.0.0/9, away from 127.0.0.0/24 and from the shipped network.
        let network = format!("127.{}.{}", 128 + process / 250 % 120, (process + ordinal) % 250);
        let gateway = format!("{network}.100");
        let name = format!("test-{process}-{ordinal}");
        let text = format!(
            "[platform]\nname = \"{name}\"\n[local]\nnetwork = \"{network}\"\ngateway_address = \"{gateway}\"\n{more}\n"
        );
        std::fs::write(directory.path().join("nova.toml"), text).unwrap();
        Self {
            directory,
            name,
            network,
            gateway,
            _room: None,
        }
    }

    /// Adds lines to its nova.toml.
    pub(crate) fn describe(&self, more: &str) {
        let file = self.directory.path().join("nova.toml");
        let described = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, format!("{described}{more}")).unwrap();
    }

    /// Puts other lines in the place of some of its nova.toml.
    pub(crate) fn replace(&self, lines: &str, others: &str) {
        let file = self.directory.path().join("nova.toml");
        let described = std::fs::read_to_string(&file).unwrap();
        assert!(described.contains(lines), "{described}");
        std::fs::write(&file, described.replace(lines, others)).unwrap();
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn gateway(&self) -> &str {
        &self.gateway
    }

    pub(crate) fn node(&self, node: u16) -> String {
        format!("{}.{node}", self.network)
    }

    pub(crate) fn directory(&self) -> PathBuf {
        self.directory.path().to_owned()
    }

    /// Where its state is kept.
    pub(crate) fn state(&self) -> PathBuf {
        let root = if nix::unistd::geteuid().is_root() {
            PathBuf::from("/var/lib/nova")
        } else {
            self.directory.path().join("state/nova")
        };
        root.join(&self.name)
    }

    /// A call that is not started yet.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nova"));
        command
            .args(args)
            .current_dir(self.directory.path())
            .env("XDG_STATE_HOME", self.directory.path().join("state"));
        command
    }

    pub(crate) fn nova(&self, args: &[&str]) -> Call {
        Call::of(&self.command(args).output().unwrap())
    }

    /// `status -o json`, whatever it says.
    pub(crate) fn status(&self) -> Value {
        self.nova(&["status", "-o", "json"]).json()
    }

    /// Waits until the status satisfies the condition; panics with the last status otherwise.
    #[track_caller]
    pub(crate) fn wait_for(&self, what: &str, limit: Duration, condition: impl Fn(&Value) -> bool) -> Value {
        let begin = Instant::now();
        loop {
            let status = self.status();
            if condition(&status) {
                return status;
            }
            assert!(begin.elapsed() < limit, "not {what} within {limit:?}: {status:#}");
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    pub(crate) fn secret(&self, name: &str) -> String {
        self.nova(&["secrets", "show", name])
            .expect_code(0)
            .stdout
            .trim()
            .to_owned()
    }

    /// A test that failed may have left a drill at work, which would keep the cleanup out.
    fn end_what_is_at_work(&self) {
        let lock = Layout::at(self.state()).command_lock();
        let begin = Instant::now();
        while let Ok(Some(holder)) = LockFile::holder(&lock)
            && begin.elapsed() < Duration::from_secs(5)
        {
            let _ = kill(Pid::from_raw(holder.process.pid), Signal::SIGKILL);
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for TestPlatform {
    fn drop(&mut self) {
        if !self.state().exists() {
            return;
        }
        let failed = std::thread::panicking();
        if failed {
            self.end_what_is_at_work();
        }
        let call = self.nova(&["cleanup", "--data", "--yes"]);
        if failed {
            return;
        }
        assert_eq!(call.code, 0, "cleanup left something: {}{}", call.stdout, call.stderr);
        assert!(!self.state().exists(), "{} is still there", self.state().display());
    }
}

/// Every member of a status report: (component, member).
pub(crate) fn members(status: &Value) -> Vec<(String, Value)> {
    let components = status["components"].as_array().cloned().unwrap_or_default();
    let of = |component: Value| {
        let name = component["name"].as_str().unwrap_or_default().to_owned();
        component["members"]
            .as_array()
            .cloned()
            .unwrap_or_default()
            .into_iter()
            .map(move |member| (name.clone(), member))
    };
    components.into_iter().flat_map(of).collect()
}

/// The process of a member of a status report.
pub(crate) fn pid(member: &Value) -> i32 {
    i32::try_from(member["pid"].as_u64().unwrap_or_else(|| panic!("no pid in {member}"))).unwrap()
}

/// One member of a status report.
pub(crate) fn member(status: &Value, name: &str) -> Value {
    members(status)
        .into_iter()
        .map(|(_, member)| member)
        .find(|member| member["name"] == name)
        .unwrap_or_default()
}
