//! `nova-member`: starts a member's program in a container, or says whether that is fit for use.

mod arguments;

use std::process::ExitCode;

use nova_member::{StartError, kafka_start, postgres_start, probe, redis_start, sentinel_start};

use crate::arguments::{Arguments, Task, USAGE};

/// Wrong usage, as of `nova` itself.
const WRONG_USAGE: u8 = 2;

fn main() -> ExitCode {
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
        Arguments::Program(words) => return nova_member::run(&words).map(|_| ()),
        Arguments::Member { task, place } => (task, place),
    };
    match task {
        Task::Redis => redis_start::run(&place).map(|_| ()),
        Task::Sentinel => sentinel_start::run(&place).map(|_| ()),
        Task::Kafka => kafka_start::run(&place).map(|_| ()),
        Task::Postgres => postgres_start::run(&place).map(|_| ()),
        Task::ProbeRedis => probe::redis(&place),
        Task::ProbeSentinel => probe::sentinel(&place),
    }
}
