//! `nova-member`: starts a member's program in a container, or says whether that is fit for use.

mod arguments;

use std::fmt::Display;
use std::process::{Command, ExitCode};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use nova_member::kafka_fence::Fence;
use nova_member::{
    Place, StartError, etcd_start, etcd_watch, hand_over, init, kafka_start, postgres_start, probe, ready, redis_start,
    sentinel_start, sentinel_watch,
};

use crate::arguments::{Arguments, BECOME, Task, USAGE};

/// Longest that processes may take to end that are killed.
const PROVEN_WITHIN: Duration = Duration::from_secs(5);
/// Longest that a dead leader's key is tried to be given up. Later there is little left to win: its session ends after 20 s.
const GIVEN_UP_WITHIN: Duration = Duration::from_secs(10);
/// Longest that a dead broker's container waits until its session is ended: without the controller that died with it, two seconds. Whatever
/// is missed goes on at the next start.
const WHEN_DEAD: Duration = Duration::from_secs(3);
/// Longest that it is tried at a start. By then it has ended by itself.
const WHEN_STARTING: Duration = Duration::from_secs(10);
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
    let (task, place, ready) = match arguments {
        Arguments::Help => {
            println!("nova-member {}\n\n{USAGE}", env!("CARGO_PKG_VERSION"));
            return Ok(());
        }
        Arguments::Program { words, softly } => {
            let ends_by = if softly { Signal::SIGUSR1 } else { Signal::SIGTERM };
            return init::tend(own().arg(BECOME).args(words), ends_by, || false, || {}, || {}).map(|_| ());
        }
        Arguments::Become(words) => return init::become_program(&words).map(|_| ()),
        Arguments::Member { task, place, ready } => (task, place, ready),
    };
    if init::is_first() && task.starts_a_program() {
        return first_process(task, &place, ready);
    }
    match task {
        Task::Redis => redis_start::run(&place).map(|_| ()),
        Task::Sentinel => sentinel_start::run(&place).map(|_| ()),
        Task::Kafka => kafka_start::run(&place).map(|_| ()),
        Task::Postgres => postgres_start::run(&place).map(|_| ()),
        Task::Etcd => etcd_start::run(&place).map(|_| ()),
        Task::ProbeRedis => probe::redis(&place),
        Task::ProbeSentinel => probe::sentinel(&place),
    }
}

/// As [`init`]: the same command once more, which becomes the program.
fn first_process(task: Task, place: &Place, ready: Option<u16>) -> Result<(), StartError> {
    if let Err(error) = init::hold_signals() {
        eprintln!("nova-member: signals are not held back: {error}");
    }
    if let Some(port) = ready {
        say_when_ready(port, task, place.clone());
    }
    if task == Task::Kafka {
        end_last_session(place);
    }
    if task == Task::Etcd {
        see_to_etcd(place.clone());
    }
    let when_it_dies = || {
        let told = match task {
            Task::Redis => redis_start::died(place),
            // It goes on without its Patroni, and may still lead.
            Task::Postgres if init::end_all(PROVEN_WITHIN) => postgres_start::died(place, GIVEN_UP_WITHIN).map(Some),
            Task::Kafka => Fence::of_last_life(place).map(|fence| fence.map(|fence| end_session(&fence, WHEN_DEAD))),
            _ => return,
        };
        tell(told);
    };
    let before_end = || {
        if let Some(store) = task.hands_over() {
            tell(hand_over::before_end(store, place));
        }
    };
    let watch = (task == Task::Sentinel).then(|| sentinel_watch::begin(place));
    let returns = || watch.as_ref().is_some_and(|told| told.swap(false, Ordering::SeqCst));
    init::tend(
        own().args(std::env::args_os().skip(1)),
        Signal::SIGTERM,
        returns,
        before_end,
        when_it_dies,
    )
    .map(|_| ())
}

/// Without it the kubelet finds nobody to ask, and says so.
fn say_when_ready(port: u16, task: Task, place: Place) {
    let ask = move || match task {
        Task::Sentinel => probe::sentinel(&place),
        _ => probe::redis(&place),
    };
    if let Err(error) = ready::serve(port, ask) {
        eprintln!("nova-member: port {port}, which is to say whether it is ready, cannot be used: {error}");
    }
}

/// For as long as this process is there.
fn see_to_etcd(place: Place) {
    thread::spawn(move || {
        let mut watch = etcd_watch::Watch::default();
        loop {
            let look = watch.look(&place);
            look.told.into_iter().for_each(|told| println!("nova: {told}"));
            thread::sleep(look.pause);
        }
    });
}

fn tell<E: Display>(told: Result<Option<String>, E>) {
    match told {
        Ok(told) => told.into_iter().for_each(|told| println!("nova: {told}")),
        Err(error) => eprintln!("nova-member: {error}"),
    }
}

/// A broker that is about to start serves nobody in the session of its last life, which may have ended with its whole container. It starts
/// meanwhile.
fn end_last_session(place: &Place) {
    match Fence::of_last_life(place) {
        Ok(None) => {}
        Ok(Some(fence)) => {
            thread::spawn(move || println!("nova: {}", end_session(&fence, WHEN_STARTING)));
        }
        Err(error) => eprintln!("nova-member: {error}"),
    }
}

fn end_session(fence: &Fence, limit: Duration) -> String {
    match fence.end_session(limit, || true) {
        Ok(fenced) => format!("the broker is dead: {fenced}"),
        Err(error) => format!("the broker is dead, and its session ends by itself: {error}"),
    }
}

/// This program once more.
fn own() -> Command {
    let name = std::env::args_os().next();
    Command::new(name.unwrap_or_else(|| "nova-member".into()))
}
