//! One server process under a watcher that outlives neither it nor the test process.
//!
//! The watcher is a shell that waits for a line on a pipe from the test process. When that process ends, by whatever
//! means, the pipe closes, and the watcher ends the server and removes its directory.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::unistd::geteuid;
use tokio::time::{Instant, sleep};

use crate::workplace::UNPRIVILEGED;

const SCRIPT: &str = r#"
dir=$1; last=$2; shift 2
"$@" </dev/null & pid=$!
if read -r signal; then
    kill -"$signal" $pid; wait $pid
else
    kill -"$last" $pid; wait $pid; rm -rf "$dir"
fi
"#;

/// How long a server may take to start or to end.
const DEADLINE: Duration = Duration::from_secs(30);

/// A program with its directory, running or stopped.
#[derive(Debug)]
pub(crate) struct Server {
    directory: PathBuf,
    program: Vec<String>,
    last_signal: &'static str,
    watcher: Option<Child>,
}

impl Server {
    /// A server that is not started. `last_signal` ends it with the test process.
    pub(crate) fn new(directory: PathBuf, program: Vec<String>, last_signal: &'static str) -> Self {
        Self {
            directory,
            program,
            last_signal,
            watcher: None,
        }
    }

    /// Starts the program; its output goes to `log` in its directory.
    pub(crate) fn start(&mut self) {
        assert!(self.watcher.is_none(), "{} is running", self.program[0]);
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log())
            .expect("cannot write the server's log");
        let mut watcher = Command::new("/bin/sh");
        watcher
            .args(["-c", SCRIPT, "watcher"])
            .arg(&self.directory)
            .arg(self.last_signal)
            .args(as_user())
            .args(&self.program);
        watcher
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("a file can be shared"))
            .stderr(log);
        // A Ctrl-C is for the tests; the pipe tells the watcher.
        watcher.process_group(0).current_dir(&self.directory);
        self.watcher = Some(watcher.spawn().expect("cannot start /bin/sh"));
    }

    /// Ends the program by a signal and waits until it is gone.
    pub(crate) async fn stop(&mut self, signal: &str) {
        let Some(mut watcher) = self.watcher.take() else { return };
        if let Some(pipe) = &mut watcher.stdin {
            writeln!(pipe, "{signal}").expect("the watcher ended by itself");
        }
        let deadline = Instant::now() + DEADLINE;
        while watcher.try_wait().expect("a child can be waited for").is_none() {
            assert!(Instant::now() < deadline, "{} did not end by {signal}", self.program[0]);
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Tries `probe` until it succeeds; a server that cannot start fails the test with its log.
    pub(crate) async fn ready<E: std::fmt::Display>(&self, probe: impl AsyncFn() -> Result<(), E>) {
        let deadline = Instant::now() + DEADLINE;
        while let Err(error) = probe().await {
            if Instant::now() >= deadline {
                let log = std::fs::read_to_string(self.log()).unwrap_or_default();
                panic!("{} does not answer: {error}\n{log}", self.program[0]);
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    fn log(&self) -> PathBuf {
        self.directory.join("server.log")
    }
}

/// Runs a program to its end as the servers' user, and fails the test when it fails.
pub(crate) fn run(directory: &Path, program: &OsStr, arguments: &[&str]) {
    let mut words: Vec<_> = as_user().into_iter().map(Into::into).collect();
    words.push(program.to_os_string());
    let output = Command::new(&words[0])
        .args(&words[1..])
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .output();
    let output = output.unwrap_or_else(|error| panic!("cannot run {}: {error}", program.display()));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} failed: {said}", program.display());
}

/// The words that a command line begins with so that the program does not run as root.
fn as_user() -> Vec<String> {
    if !geteuid().is_root() {
        return Vec::new();
    }
    let group = format!("--regid={}", group());
    [
        "setpriv".to_owned(),
        format!("--reuid={UNPRIVILEGED}"),
        group,
        "--clear-groups".to_owned(),
        "--".to_owned(),
    ]
    .into()
}

fn group() -> u32 {
    nix::unistd::User::from_name(UNPRIVILEGED)
        .ok()
        .flatten()
        .map_or(65534, |user| user.gid.as_raw())
}
