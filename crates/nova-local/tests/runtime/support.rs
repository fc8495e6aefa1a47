//! A platform of small shell programs, and its end.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use nova_local::layout::{Layout, Owner, create, ensure_directory};
use nova_local::plan::StopSignal;
use nova_local::process::{Identity, Table};
use nova_local::supervisor::{Client, Launch, LockFile, MemberReport, Program, Request, Response, ensure_running};
use nova_platform::target::RunState;

/// Tells the supervisor of these tests its state directory.
pub(crate) const STATE: &str = "NOVA_TEST_STATE";

const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn me() -> Owner {
    Owner {
        uid: nix::unistd::geteuid().as_raw(),
        gid: nix::unistd::getegid().as_raw(),
        name: "me".into(),
    }
}

/// A state directory. Whatever runs there ends with it.
pub(crate) struct Home {
    pub(crate) layout: Layout,
    pub(crate) owner: Owner,
    _root: tempfile::TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self::of(me())
    }

    pub(crate) fn of(owner: Owner) -> Self {
        let root = tempfile::tempdir().unwrap();
        std::fs::set_permissions(root.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let layout = Layout::at(root.path().join("nova"));
        create(&layout, &owner).unwrap();
        Self {
            layout,
            owner,
            _root: root,
        }
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&self.layout)
    }

    pub(crate) fn program(&self) -> Program {
        let args = ["--exact", "supervise", "--ignored", "--nocapture", "--quiet"];
        Program {
            path: std::env::current_exe().unwrap(),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            env: vec![(STATE.to_owned(), self.layout.directory().to_string_lossy().into_owned())],
        }
    }

    /// Starts the supervisor, or finds it.
    pub(crate) async fn supervise(&self) -> Identity {
        ensure_running(&self.layout, &self.owner, &self.program())
            .await
            .unwrap();
        self.supervisor().unwrap()
    }

    pub(crate) fn supervisor(&self) -> Option<Identity> {
        LockFile::holder(&self.layout.supervisor_lock())
            .unwrap()
            .map(|holder| holder.process)
    }

    /// A member that runs a shell script.
    pub(crate) fn member(&self, name: &str, script: &str) -> Launch {
        ensure_directory(&self.layout.member(name), 0o700, &self.owner).unwrap();
        Launch {
            member: name.to_owned(),
            component: "redis".into(),
            node: "node-1".to_owned(),
            program: PathBuf::from("/bin/sh"),
            args: vec!["-c".to_owned(), script.to_owned()],
            env: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
            ports: Vec::new(),
            children: Vec::new(),
            leader_key: None,
            postgres: None,
            redis: None,
            kafka: None,
            sentinel: None,
            etcd: None,
            stop_signal: StopSignal::Term,
            stop_grace_ms: 10_000,
            restart_backoff_ms: 20,
            restart_backoff_max_ms: 100,
            log_max_bytes: 1 << 20,
            parts: BTreeMap::from([("arguments".to_owned(), script.to_owned())]),
        }
    }

    pub(crate) async fn ensure(&self, launch: &Launch) -> MemberReport {
        let request = Request::Ensure {
            launch: Box::new(launch.clone()),
        };
        assert_eq!(self.client().ask(&request).await.unwrap(), Response::Done);
        self.report(&launch.member).await
    }

    pub(crate) async fn stop(&self, member: &str) {
        let request = Request::Stop {
            member: member.to_owned(),
            grace_ms: None,
        };
        assert_eq!(self.client().ask(&request).await.unwrap(), Response::Done);
    }

    pub(crate) async fn report(&self, member: &str) -> MemberReport {
        let report = self.client().list().await.unwrap();
        report
            .members
            .into_iter()
            .find(|report| report.launch.member == member)
            .unwrap()
    }

    /// Waits until the member is as wanted.
    pub(crate) async fn until(&self, member: &str, wanted: impl Fn(&MemberReport) -> bool) -> MemberReport {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let report = self.report(member).await;
            if wanted(&report) {
                return report;
            }
            assert!(Instant::now() < deadline, "{report:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) fn log(&self, member: &str) -> String {
        std::fs::read_to_string(self.layout.log(member)).unwrap_or_default()
    }

    /// Everything that carries the mark of a member or writes a log.
    pub(crate) fn processes(&self) -> Vec<Identity> {
        Table::read(self.owner.uid).of_platform(&self.layout)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // Known by its log too: a test may have removed its lock.
        let known = Table::read(self.owner.uid).supervisor(&self.layout);
        for supervisor in self.supervisor().into_iter().chain(known) {
            kill_hard(supervisor.pid);
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let processes = self.processes();
            if processes.is_empty() || Instant::now() > deadline {
                break;
            }
            for process in processes {
                kill_hard(process.pid);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

pub(crate) fn runs_as_another(report: &MemberReport, pid: Option<u32>) -> bool {
    report.state == RunState::Running && report.pid.is_some() && report.pid != pid
}

pub(crate) fn identity(report: &MemberReport) -> Identity {
    Identity::of(report.pid.unwrap().cast_signed()).unwrap()
}

pub(crate) fn kill_hard(pid: i32) {
    let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
}

pub(crate) async fn until(what: &str, wanted: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !wanted() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A process that belongs to no platform.
pub(crate) struct Bystander(std::process::Child);

impl Bystander {
    pub(crate) fn start() -> Self {
        Self::in_directory(Path::new("/"))
    }

    /// Such as a person's shell that stands there.
    pub(crate) fn in_directory(directory: &Path) -> Self {
        let mut command = std::process::Command::new("tail");
        command
            .args(["-f", "/dev/null"])
            .current_dir(directory)
            .stdin(Stdio::null());
        Self(command.spawn().unwrap())
    }

    pub(crate) fn identity(&self) -> Identity {
        Identity::of(self.0.id().cast_signed()).unwrap()
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
