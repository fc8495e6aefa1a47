//! A server program that cannot outlive the test process.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

/// Ends the program when it is dropped; the kernel does when the whole test process dies.
pub(crate) struct Process {
    child: Child,
    /// The thread that started it waits on this: the kernel's signal comes when that *thread* ends.
    _keeper: mpsc::Sender<()>,
}

impl Process {
    /// Starts a program as an unprivileged user when root runs the tests, with its output in `log`.
    pub(crate) fn start(log: &Path, program: &str, arguments: &[&str]) -> Self {
        let output = std::fs::File::create(log).unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        if is_root() {
            command.args(["--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]);
        }
        command.arg("--").arg(program).args(arguments);
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .current_dir("/");
        let (keeper, kept) = mpsc::channel::<()>();
        let (started, child) = mpsc::channel();
        thread::spawn(move || {
            started.send(command.spawn()).unwrap();
            let _ = kept.recv();
        });
        Self {
            child: child.recv().unwrap().unwrap(),
            _keeper: keeper,
        }
    }

    pub(crate) fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A directory that the unprivileged user may use, removed with its value.
pub(crate) fn directory() -> tempfile::TempDir {
    let directory = tempfile::Builder::new()
        .prefix("nova-test-")
        .tempdir_in("/tmp")
        .unwrap();
    run("chmod", &["0777", directory.path().to_str().unwrap()]);
    directory
}

/// Runs a program to its end, as the unprivileged user when root runs the tests.
pub(crate) fn run_unprivileged(program: &str, arguments: &[&str]) {
    if is_root() {
        let user = [
            "--reuid",
            "nobody",
            "--regid",
            "nogroup",
            "--clear-groups",
            "--",
            program,
        ];
        run("setpriv", &[&user, arguments].concat());
    } else {
        run(program, arguments);
    }
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .current_dir("/")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{program}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn is_root() -> bool {
    std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) == 0
}
