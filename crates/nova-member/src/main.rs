//! `nova-member`: starts a member's program in a container, or says whether that is fit for use.

mod arguments;

use std::process::{Command, ExitCode};
use std::sync::atomic::Ordering;
use std::time::Duration;

use nova_member::{
    Place, StartError, init, kafka_start, postgres_start, probe, redis_start, sentinel_start, sentinel_watch,
};

use crate::arguments::{Arguments, BECOME, Task, USAGE};

/// Longest that processes may take to end that are killed.
const PROVEN_WITHIN: Duration = Duration::from_secs(5);
/// Longest that a dead leader's key is tried to be given up. Later there is little left to win: its session ends after 20 s.
const GIVEN_UP_WITHIN: Duration = Duration::from_secs(10);
/// Wrong usage, as of `nova` itself.
const WRONG_USAGE: u8 = 2;

fn main() -> ExitCode {
    init::hear_signals();
    let arguments = match Arguments::parse(std::env::args_os().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("nova-member: error: {error}\n\n{USAGE}");
            return ExitCode::from(WRONG_USAGE);
        }
    };
    match carry_out(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("nova-member: error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Those that start a program end only by becoming it, with it, or with an error.
fn carry_out(arguments: Arguments) -> Result<(), StartError> {
    let (task, place) = match arguments {
        Arguments::Help => {
            println!("nova-member {}\n\n{USAGE}", env!("CARGO_PKG_VERSION"));
            return Ok(());
        }
        Arguments::Program(words) => return init::tend(own().arg(BECOME).args(words), || false, || {}).map(|_| ()),
        Arguments::Become(words) => return init::become_program(&words).map(|_| ()),
        Arguments::Member { task, place } => (task, place),
    };
    if init::is_first() && task.starts_a_program() {
        return first_process(task, &place);
    }
    match task {
        Task::Redis => redis_start::run(&place).map(|_| ()),
        Task::Sentinel => sentinel_start::run(&place).map(|_| ()),
        Task::Kafka => kafka_start::run(&place).map(|_| ()),
        Task::Postgres => postgres_start::run(&place).map(|_| ()),
        Task::ProbeRedis => probe::redis(&place),
        Task::ProbeSentinel => probe::sentinel(&place),
    }
}

/// As [`init`]: the same command once more, which becomes the program.
fn first_process(task: Task, place: &Place) -> Result<(), StartError> {
    let when_it_dies = || {
        let told = match task {
            Task::Redis => redis_start::died(place),
            // It goes on without its Patroni, and may still lead.
            Task::Postgres if init::end_all(PROVEN_WITHIN) => postgres_start::died(place, GIVEN_UP_WITHIN).map(Some),
            _ => return,
        };
        match told {
            Ok(told) => told.into_iter().for_each(|told| println!("nova: {told}")),
            Err(error) => eprintln!("nova-member: {error}"),
        }
    };
    let watch = (task == Task::Sentinel).then(|| sentinel_watch::begin(place));
    let returns = || watch.as_ref().is_some_and(|told| told.swap(false, Ordering::SeqCst));
    init::tend(own().args(std::env::args_os().skip(1)), returns, when_it_dies).map(|_| ())
}

/// This program once more.
fn own() -> Command {
    let name = std::env::args_os().next();
    Command::new(name.unwrap_or_else(|| "nova-member".into()))
}
