//! Starts a supervisor when none is at work, and replaces one of another build.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::fcntl::OFlag;
use tokio::time::{Instant, sleep};

use super::client::{Client, ClientError};
use super::lock::{LockError, LockFile};
use super::protocol::{Report, Request};
use crate::layout::{Layout, Owner};

/// Time within which a supervisor must answer, or be gone.
const LIMIT: Duration = Duration::from_secs(10);
/// Pause between two looks at whether it does.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The program that supervises: `nova supervise --state DIR`, whatever that is called here.
#[derive(Debug, Clone)]
pub struct Program {
    /// Absolute path, readable by the members' user.
    pub path: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its whole environment.
    pub env: Vec<(String, String)>,
}

impl Program {
    /// A copy of the `nova` command.
    #[must_use]
    pub fn nova(path: PathBuf, layout: &Layout) -> Self {
        let state = layout.directory().to_string_lossy().into_owned();
        Self {
            path,
            args: vec!["supervise".to_owned(), "--state".to_owned(), state],
            // Its log is read by people and by `nova logs`, on any terminal or none.
            env: vec![("NO_COLOR".to_owned(), "1".to_owned())],
        }
    }
}

/// Why there is no supervisor.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its program does not run.
    #[error("cannot start the supervisor {}", .path.display())]
    Spawn {
        /// Which program.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It ended at once.
    #[error("the supervisor ended at once ({how}): {said}")]
    Ended {
        /// How.
        how: String,
        /// Its last line.
        said: String,
    },
    /// It does not answer.
    #[error("the supervisor did not {what} within {} s; its log is {}", LIMIT.as_secs(), .log.display())]
    Late {
        /// Verb.
        what: &'static str,
        /// Where it writes.
        log: PathBuf,
    },
    /// Whether there is one cannot be seen.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The running one refuses to be replaced.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// Sees to it that a supervisor with this program is at work, and returns what it keeps. It takes over what still runs.
///
/// # Errors
/// When it does not come up.
pub async fn ensure_running(layout: &Layout, owner: &Owner, program: &Program) -> Result<Report, StartError> {
    let client = Client::new(layout);
    match client.list().await {
        Ok(report) if report.program == program.path => return Ok(report),
        // A connection that breaks is one that dies at this moment.
        Err(ClientError::NotRunning | ClientError::Io(_)) => {}
        Ok(_) | Err(ClientError::Unintelligible(_)) => match client.ask(&Request::Shutdown).await {
            Ok(_) | Err(ClientError::NotRunning | ClientError::Io(_)) => {}
            Err(error) => return Err(error.into()),
        },
        Err(error) => return Err(error.into()),
    }
    wait_until_gone(layout).await?;
    start(layout, owner, program, &client).await
}

/// Waits until no process holds the supervisor's lock.
pub(crate) async fn wait_until_gone(layout: &Layout) -> Result<(), StartError> {
    let deadline = Instant::now() + LIMIT;
    while LockFile::holder(&layout.supervisor_lock())?.is_some() {
        if Instant::now() > deadline {
            return Err(late("end", layout));
        }
        sleep(LOOK_EVERY).await;
    }
    Ok(())
}

async fn start(layout: &Layout, owner: &Owner, program: &Program, client: &Client) -> Result<Report, StartError> {
    let mut child = spawn(layout, owner, program).map_err(|source| StartError::Spawn {
        path: program.path.clone(),
        source,
    })?;
    let deadline = Instant::now() + LIMIT;
    loop {
        match client.list().await {
            Ok(report) => return Ok(report),
            Err(ClientError::NotRunning | ClientError::Io(_)) => {}
            Err(error) => return Err(error.into()),
        }
        if let Ok(Some(status)) = child.try_wait() {
            // Another command may have started one at the same moment.
            if let Ok(report) = client.list().await {
                return Ok(report);
            }
            return Err(StartError::Ended {
                how: super::launch::describe_exit(status),
                said: last_line(layout),
            });
        }
        if Instant::now() > deadline {
            return Err(late("answer", layout));
        }
        sleep(LOOK_EVERY).await;
    }
}

/// The supervisor leaves the session of the command by itself.
fn spawn(layout: &Layout, owner: &Owner, program: &Program) -> io::Result<Child> {
    let log = open_log(layout, owner)?;
    let mut command = Command::new(&program.path);
    command
        .args(&program.args)
        .env_clear()
        .envs(program.env.iter().map(|(name, value)| (name, value)))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    if owner.to_hand_over().is_some() {
        command.gid(owner.gid).uid(owner.uid);
    }
    command.spawn()
}

fn open_log(layout: &Layout, owner: &Owner) -> io::Result<File> {
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .custom_flags(OFlag::O_NOFOLLOW.bits())
        .open(layout.supervisor_log())?;
    if let Some((uid, gid)) = owner.to_hand_over() {
        std::os::unix::fs::fchown(&log, Some(uid.as_raw()), Some(gid.as_raw()))?;
    }
    Ok(log)
}

fn late(what: &'static str, layout: &Layout) -> StartError {
    StartError::Late {
        what,
        log: layout.supervisor_log(),
    }
}

fn last_line(layout: &Layout) -> String {
    let text = std::fs::read(layout.supervisor_log()).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    text.lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("it said nothing")
        .to_owned()
}
