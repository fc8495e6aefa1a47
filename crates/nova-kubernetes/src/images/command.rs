//! Runs another program with a deadline, and keeps its last words for the case that it fails.

use std::collections::VecDeque;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Command;
use tokio::sync::mpsc;

#[cfg(test)]
mod tests;

/// Lines that are shown of a program that failed.
const LAST_WORDS: usize = 20;
/// How long a program that took too long may take to put things away.
const GRACE: Duration = Duration::from_secs(10);

/// Why a program did not do what it was started for.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It is not installed.
    #[error("{program} is not installed; {install}")]
    Missing {
        /// Which one.
        program: String,
        /// How it gets here.
        install: String,
    },
    /// It could not be started.
    #[error("cannot run {program}")]
    Start {
        /// Which one.
        program: String,
        /// Why not.
        source: io::Error,
    },
    /// It reported a failure.
    #[error("{command} ended with {status}; its last words:\n{last_words}")]
    Failed {
        /// The whole command.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// Its last lines.
        last_words: String,
    },
    /// It took too long and was ended.
    #[error("{command} was not done after {} s and was ended; its last words:\n{last_words}", .after.as_secs())]
    TooLong {
        /// The whole command.
        command: String,
        /// The limit.
        after: Duration,
        /// Its last lines.
        last_words: String,
    },
}

/// A program, its arguments, and how long it may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Invocation {
    pub(super) program: String,
    pub(super) arguments: Vec<String>,
    pub(super) limit: Duration,
}

impl Invocation {
    pub(super) fn new<'a>(program: &str, arguments: impl IntoIterator<Item = &'a str>, limit: Duration) -> Self {
        Self {
            program: program.to_owned(),
            arguments: arguments.into_iter().map(str::to_owned).collect(),
            limit,
        }
    }

    /// Runs it to its end and passes on each line that it prints on either stream. It is told to end, with all that it started,
    /// when nobody waits any more.
    pub(super) async fn run(&self, say: &(dyn Fn(&str) + Send + Sync)) -> Result<(), CommandError> {
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|source| self.not_started(source))?;
        let mut group = Group(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)));
        let (sender, mut lines) = mpsc::channel(64);
        if let Some(stream) = child.stdout.take() {
            tokio::spawn(pass_on(stream, sender.clone()));
        }
        if let Some(stream) = child.stderr.take() {
            tokio::spawn(pass_on(stream, sender.clone()));
        }
        drop(sender);
        let mut last: VecDeque<String> = VecDeque::new();
        let to_the_end = async {
            while let Some(line) = lines.recv().await {
                say(&line);
                if !line.trim().is_empty() {
                    last.push_back(line);
                }
                if last.len() > LAST_WORDS {
                    last.pop_front();
                }
            }
            child.wait().await
        };
        let ended = tokio::time::timeout(self.limit, to_the_end).await;
        if ended.is_err() {
            group.end(Signal::TERM);
            if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
                group.end(Signal::KILL);
            }
        }
        // Reaped or told: its id may be another's from now on.
        group.0 = None;
        let last_words = last.make_contiguous().join("\n");
        match ended {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(CommandError::Failed {
                command: self.to_string(),
                status,
                last_words,
            }),
            Ok(Err(source)) => Err(self.not_started(source)),
            Err(_) => Err(CommandError::TooLong {
                command: self.to_string(),
                after: self.limit,
                last_words,
            }),
        }
    }

    /// Whether it can be started and reports success.
    pub(super) async fn succeeds(&self) -> bool {
        self.run(&|_| ()).await.is_ok()
    }

    fn not_started(&self, source: io::Error) -> CommandError {
        let program = self.program.clone();
        if source.kind() == io::ErrorKind::NotFound {
            let install = format!("install it, or put the directory that holds it into PATH: {program}");
            CommandError::Missing { program, install }
        } else {
            CommandError::Start { program, source }
        }
    }
}

impl std::fmt::Display for Invocation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.program)?;
        self.arguments.iter().try_for_each(|word| write!(f, " {word}"))
    }
}

/// A program and what it started; told to end together, unless the program has ended by itself. Told, not killed: a builder
/// removes what it had begun.
struct Group(Option<Pid>);

impl Group {
    fn end(&self, signal: Signal) {
        if let Some(group) = self.0 {
            // It may be gone meanwhile.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end(Signal::TERM);
    }
}

/// Bytes that are no text are shown as such.
async fn pass_on(stream: impl AsyncRead + Unpin, to: mpsc::Sender<String>) {
    let mut reader = BufReader::new(stream);
    let mut bytes = Vec::new();
    while reader.read_until(b'\n', &mut bytes).await.is_ok_and(|read| read > 0) {
        if to
            .send(String::from_utf8_lossy(&bytes).trim_end().to_owned())
            .await
            .is_err()
        {
            return;
        }
        bytes.clear();
    }
}
