//! Running other programs: shortly for an answer, or for long with each line passed on.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};
use std::{fmt, io};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// Why a program did not do what it was started for.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It could not be started.
    #[error("cannot run {program}")]
    Start {
        /// Which one.
        program: String,
        /// Why not.
        source: io::Error,
    },
    /// It reported a failure.
    #[error("{command} ended with {status}; its last words: {last_words}")]
    Failed {
        /// The whole command.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// Its last lines.
        last_words: String,
    },
    /// It took too long and was ended.
    #[error("{command} was not done after {} s and was ended; its last words: {last_words}", .after.as_secs())]
    TooLong {
        /// The whole command.
        command: String,
        /// The limit.
        after: Duration,
        /// Its last lines.
        last_words: String,
    },
}

/// How long a program may take to answer: a loaded machine is slow, which is not the same as missing.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a program printed on both streams, whatever its exit status.
pub(super) fn ask(command: &mut Command) -> Result<String, CommandError> {
    let lines = std::cell::RefCell::new(String::new());
    let outcome = run(command, PATIENCE, &mut |line| {
        let mut lines = lines.borrow_mut();
        lines.push_str(line);
        lines.push('\n');
    });
    match outcome {
        Ok(()) | Err(CommandError::Failed { .. }) => Ok(lines.into_inner()),
        Err(error) => Err(error),
    }
}

/// Runs a program to its end and passes on each line that it prints. It runs in a process group of its own: an interrupted
/// terminal must not cut a package manager off in the middle.
pub(super) fn run(command: &mut Command, limit: Duration, say: &mut dyn FnMut(&str)) -> Result<(), CommandError> {
    use std::os::unix::process::CommandExt;
    let text = Words(command).to_string();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|source| CommandError::Start {
            program: command.get_program().to_string_lossy().into_owned(),
            source,
        })?;
    let (sender, lines) = mpsc::sync_channel::<String>(64);
    for stream in streams(&mut child) {
        let sender = sender.clone();
        thread::spawn(move || {
            // Bytes that are no text are shown as such; an endless line is cut.
            let mut reader = BufReader::new(stream);
            let mut bytes = Vec::new();
            while reader
                .by_ref()
                .take(64 * 1024)
                .read_until(b'\n', &mut bytes)
                .is_ok_and(|read| read > 0)
            {
                if sender
                    .send(String::from_utf8_lossy(&bytes).trim_end().to_owned())
                    .is_err()
                {
                    return;
                }
                bytes.clear();
            }
        });
    }
    drop(sender);

    let deadline = Instant::now() + limit;
    let mut last: Vec<String> = Vec::new();
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                say(&line);
                if !line.trim().is_empty() {
                    last.push(line);
                }
                if last.len() > 5 {
                    last.remove(0);
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                end(&mut child);
                return Err(CommandError::TooLong {
                    command: text,
                    after: limit,
                    last_words: last.join("; "),
                });
            }
        }
    }
    // Both streams are closed, so it is about to end or has detached itself from them.
    let status = wait(&mut child, deadline).ok_or_else(|| CommandError::TooLong {
        command: text.clone(),
        after: limit,
        last_words: last.join("; "),
    })?;
    if status.success() {
        Ok(())
    } else {
        Err(CommandError::Failed {
            command: text,
            status,
            last_words: last.join("; "),
        })
    }
}

fn streams(child: &mut Child) -> Vec<Box<dyn Read + Send>> {
    let out = child
        .stdout
        .take()
        .map(|stream| Box::new(stream) as Box<dyn Read + Send>);
    let err = child
        .stderr
        .take()
        .map(|stream| Box::new(stream) as Box<dyn Read + Send>);
    out.into_iter().chain(err).collect()
}

fn wait(child: &mut Child, deadline: Instant) -> Option<ExitStatus> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            _ if Instant::now() >= deadline => {
                end(child);
                return None;
            }
            _ => thread::sleep(Duration::from_millis(5)),
        }
    }
}

fn end(child: &mut Child) {
    if let Ok(pid) = i32::try_from(child.id()) {
        // It may have ended meanwhile; then there is nothing to end.
        let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
    }
    let _ = child.wait();
}

struct Words<'a>(&'a Command);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.get_program().to_string_lossy())?;
        self.0
            .get_args()
            .try_for_each(|word| write!(f, " {}", word.to_string_lossy()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn both_streams_are_passed_on_line_by_line() {
        let mut lines = Vec::new();
        let done = run(
            &mut shell("echo one; echo two >&2; printf 'three\\377'"),
            Duration::from_secs(10),
            &mut |line| lines.push(line.to_owned()),
        );
        lines.sort();
        assert!(done.is_ok());
        assert_eq!(lines, ["one", "three\u{fffd}", "two"]);
    }

    #[test]
    fn failure_carries_the_last_words() {
        let error = run(
            &mut shell("echo so it goes; exit 3"),
            Duration::from_secs(10),
            &mut |_| (),
        )
        .expect_err("exit 3");
        assert!(
            error
                .to_string()
                .ends_with("exit status: 3; its last words: so it goes"),
            "{error}"
        );
    }

    #[test]
    fn a_program_that_hangs_is_ended_with_its_children() {
        let began = Instant::now();
        let error = run(&mut shell("sleep 60 & wait"), Duration::from_millis(100), &mut |_| ()).expect_err("it hangs");
        assert!(matches!(error, CommandError::TooLong { .. }), "{error}");
        assert!(began.elapsed() < Duration::from_secs(30));
    }
}
