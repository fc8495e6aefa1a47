//! The first process of a container, with real programs: what they are told, how they end, and whose orphans they leave.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_program_is_told_every_signal_and_its_status_is_passed_on() {
    for (signal, name, status) in [(Signal::SIGTERM, "TERM", 7), (Signal::SIGUSR1, "USR1", 8)] {
        let script = format!("trap 'exit {status}' {name}; echo ready; while :; do sleep 0.05; done");
        let mut tended = Tended::start(&["sh", "-c", &script]);
        tended.says("ready");
        tended.tell(signal);
        assert_eq!(tended.ends(), status, "{name}");
    }
    assert_eq!(Tended::start(&["sh", "-c", "exit 3"]).ends(), 3);

    let mut softly = Tended::start_as(
        "run-softly",
        &[
            "sh",
            "-c",
            "trap 'exit 8' USR1; echo ready; while :; do sleep 0.05; done",
        ],
    );
    softly.says("ready");
    softly.tell(Signal::SIGTERM);
    assert_eq!(softly.ends(), 8);

    // Unlike a shell, most programs leave signals as they find them.
    let mut tended = Tended::start(&["grep", "SigBlk", "/proc/self/status"]);
    assert_eq!(tended.line().split_whitespace().nth(1), Some("0000000000000000"));
    assert_eq!(tended.ends(), 0);
}

#[test]
fn a_program_that_is_killed_ends_it_and_everything_is_known_to_have_ended() {
    let mut tended = Tended::start(&["sh", "-c", "echo $$; exec sleep 600"]);
    let program = tended.line().parse().unwrap();
    kill(Pid::from_raw(program), Signal::SIGKILL).unwrap();
    assert_eq!(tended.ends(), 128 + 9);

    // Its own child dies as an orphan, and leaves no dead process behind.
    let mut tended = Tended::start(&["sh", "-c", "sh -c 'sleep 0.1 & echo $!'; exec sleep 600"]);
    let orphan: i32 = tended.line().parse().unwrap();
    let begin = Instant::now();
    while kill(Pid::from_raw(orphan), None).is_ok() {
        assert!(begin.elapsed() < PATIENCE, "process {orphan} is dead, and still there");
        std::thread::sleep(Duration::from_millis(20));
    }
    tended.tell(Signal::SIGTERM);
    assert_eq!(tended.ends(), 128 + 15);
}

#[test]
fn a_program_that_is_not_there_is_told() {
    let output = Command::new(env!("CARGO_BIN_EXE_nova-member"))
        .args(["run", "/nowhere/etcd"])
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(told.contains("cannot run /nowhere/etcd"), "{told}");
}

struct Tended {
    process: Child,
    said: BufReader<ChildStdout>,
}

impl Tended {
    fn start(program: &[&str]) -> Self {
        Self::start_as("run", program)
    }

    fn start_as(word: &str, program: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_nova-member"))
            .arg(word)
            .args(program)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(process.stdout.take().unwrap());
        Self { process, said }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    fn says(&mut self, what: &str) {
        assert_eq!(self.line(), what);
    }

    fn tell(&self, signal: Signal) {
        let process = Pid::from_raw(i32::try_from(self.process.id()).unwrap());
        kill(process, signal).unwrap();
    }

    fn ends(&mut self) -> i32 {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status.code().unwrap();
            }
            assert!(begin.elapsed() < PATIENCE, "still there");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A test that fails leaves neither it nor its program behind: what it is told, it passes on.
impl Drop for Tended {
    fn drop(&mut self) {
        if self.process.try_wait().is_ok_and(|status| status.is_none()) {
            self.tell(Signal::SIGTERM);
            let _ = self.process.wait();
        }
    }
}
