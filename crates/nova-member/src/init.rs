//! The first process of a container: starts the member's program, passes signals on to it, takes note of every process that ends,
//! and ends with the program.
//!
//! The kernel withholds from a first process every signal that it does not handle, SIGKILL from inside the container included, and
//! leaves it every orphan. So no program of a member is the first: one that does not know that would ignore SIGTERM or hoard dead
//! processes, and could not be killed as the others see a crash.
//!
//! Since every process of the container is below it in the kernel's tree, it can also say for certain when none of them runs any more.

use std::convert::Infallible;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use nix::errno::Errno;
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::error::StartError;
use crate::start::exec;

/// What a program may be told. Others stop or end this process only, or come from its own mistakes.
const PASSED_ON: [Signal; 7] = [
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGWINCH,
];
/// The process id of a first process, in its container.
const FIRST: u32 = 1;
/// Pause between two looks at the kernel's list.
const ROUND: Duration = Duration::from_millis(5);
/// Added to the number of the signal that ended a program, as shells do.
const BY_SIGNAL: i32 = 128;

/// Undoes what [`tend`] does to the signals of whom it starts: they are passed on to the child with everything else.
pub fn hear_signals() {
    let _ = SigSet::empty().thread_set_mask();
}

/// Holds back from this thread what [`tend`] waits for. To be done before another thread begins, which holds back the same from then on:
/// the kernel may give a signal to any thread that does not, and a first process that does not handle it never hears of it.
///
/// # Errors
/// When the kernel refuses.
pub fn hold_signals() -> nix::Result<SigSet> {
    let all = PASSED_ON.into_iter().chain([Signal::SIGCHLD]);
    let held = all.collect::<SigSet>();
    held.thread_block()?;
    Ok(held)
}

/// This process becomes the program.
///
/// # Errors
/// When it cannot.
pub fn become_program(words: &[String]) -> Result<Infallible, StartError> {
    let (program, arguments) = words
        .split_first()
        .map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    exec(Command::new(program).args(arguments), Path::new(program))
}

/// Starts this same program once more to become another one (its first act is [`hear_signals`]), and ends this process with its
/// status when it ends; before that, says that it died if nobody told it to end. Where it `returns`, it is started again instead.
/// When it is told to end, what is to be done `before_end` is done first, and then the program is told, by the signal that it `ends_by`.
///
/// # Errors
/// When it cannot be started.
pub fn tend(
    command: &mut Command,
    ends_by: Signal,
    returns: impl Fn() -> bool,
    before_end: impl Fn(),
    when_it_dies: impl FnOnce(),
) -> Result<Infallible, StartError> {
    let program = command.get_program().to_owned();
    let failed = |source: std::io::Error| StartError::Exec {
        program: program.clone().into(),
        source,
    };
    // Before there is a child, whose end would otherwise be missed.
    let told = hold_signals().map_err(|error| failed(error.into()))?;
    // Its orphans come here also where this is not the first process.
    set_child_subreaper(true).map_err(|error| failed(error.into()))?;
    let mut start = || {
        let started = command.spawn().map_err(failed)?;
        Ok(Pid::from_raw(i32::try_from(started.id()).unwrap_or(i32::MAX)))
    };
    let mut program = start()?;
    let mut is_to_end = false;
    let status = loop {
        match told.wait() {
            Ok(Signal::SIGCHLD) => {
                if let Some(status) = take_note(program) {
                    if is_to_end || !returns() {
                        break status;
                    }
                    program = start()?;
                }
            }
            Ok(signal) => {
                if signal == Signal::SIGTERM && !is_to_end {
                    is_to_end = true;
                    before_end();
                }
                // A program that has just ended needs to be told nothing.
                let told = if signal == Signal::SIGTERM { ends_by } else { signal };
                let _ = kill(program, told);
            }
            Err(Errno::EINTR) => {}
            Err(error) => return Err(failed(error.into())),
        }
    };
    if !is_to_end {
        when_it_dies();
    }
    std::process::exit(status)
}

/// Whether this is the first process of a container.
#[must_use]
pub fn is_first() -> bool {
    std::process::id() == FIRST
}

/// Ends every other process of this container, and sees that none is left. `false` leaves it open: within `limit` some were left, or
/// this is not a container's first process, which alone sees them all.
pub fn end_all(limit: Duration) -> bool {
    if !is_first() {
        return false;
    }
    let begin = Instant::now();
    loop {
        // To everybody in this process namespace but the one that asks. None can start another one after that.
        let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
        take_note(Pid::this());
        match is_alone() {
            Ok(true) => return true,
            Ok(false) if begin.elapsed() < limit => thread::sleep(ROUND),
            Ok(false) | Err(_) => return false,
        }
    }
}

/// Whether the kernel lists no other process, not even one that has ended and that nobody took note of.
fn is_alone() -> io::Result<bool> {
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let process = name.to_str().and_then(|name| name.parse::<u32>().ok());
        if process.is_some_and(|process| process != FIRST) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Every process that has ended; the status to end with when the program is among them.
fn take_note(program: Pid) -> Option<i32> {
    let mut status = None;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(process, code)) if process == program => status = Some(code),
            Ok(WaitStatus::Signaled(process, signal, _)) if process == program => {
                status = Some(BY_SIGNAL + signal as i32);
            }
            Ok(WaitStatus::StillAlive) | Err(_) => return status,
            Ok(_) => {}
        }
    }
}
