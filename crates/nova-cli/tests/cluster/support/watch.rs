//! Clients inside the cluster that keep a ledger while a test breaks things: `nova drill watch`.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::thread::JoinHandle;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::{Platform, WHOLE_AGAIN, wait_for};

/// Clients that write.
pub(crate) struct Watch {
    child: Option<Child>,
    ledger: PathBuf,
    said: Option<JoinHandle<String>>,
}

impl Watch {
    /// Starts them, and returns when every one was acknowledged.
    #[track_caller]
    pub(crate) fn start(platform: &Platform, args: &[&str]) -> Self {
        let mut command = platform.drill(&[&["watch", "--for", "20m"], args].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let mut said = String::new();
        let mut ledger = PathBuf::new();
        loop {
            let Some(line) = lines.next() else {
                panic!("the clients did not get going: {said}");
            };
            said.push_str(&line);
            said.push('\n');
            if let Some(path) = line.strip_prefix("ledger ") {
                ledger = path.into();
            }
            if line.contains("every client writes") {
                break;
            }
        }
        let rest = move || lines.fold(said, |text, line| format!("{text}{line}\n"));
        Self {
            child: Some(child),
            ledger,
            said: Some(std::thread::spawn(rest)),
        }
    }

    /// Waits until the ledger has this many acknowledged operations.
    #[track_caller]
    pub(crate) fn wait_for_acknowledged(&self, number: usize) {
        wait_for(&format!("{number} acknowledged"), WHOLE_AGAIN, || {
            let ledger = std::fs::read_to_string(&self.ledger).unwrap();
            let lines = ledger.lines().filter(|line| line.contains("\"acknowledged\""));
            lines.count() >= number
        });
    }

    /// Ends them. Nothing acknowledged may be lost where that is promised; returns the stores' parts of the report.
    #[track_caller]
    pub(crate) fn end(mut self) -> Vec<Value> {
        let child = self.child.take().unwrap();
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = self.said.take().unwrap().join().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
        assert_eq!(report["result"], "passed", "{report:#}\n{said}");
        let stores = report["drills"][0]["runs"][0]["stores"].as_array().cloned().unwrap();
        for store in &stores {
            assert!(store["acknowledged"].as_u64().unwrap() > 100, "{report:#}");
            eprintln!(
                "{}: acknowledged {}, unknown {}, failed {}, lost {}, longest gap {} ms",
                store["store"],
                store["acknowledged"],
                store["unknown"],
                store["failed"],
                store["lost"],
                store["rto_ms"]
            );
        }
        stores
    }
}

/// A test that fails leaves no clients behind.
impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
