//! Keeps one member as it should be: a task each, which starts it, waits for its end, and obeys orders in turn.

mod hand_over;
mod house;
mod release;
mod watch;

use std::io;
use std::process::Child;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use super::backoff::Backoff;
use super::launch::{describe_exit, start};
use super::protocol::Launch;
use super::registry::{Record, Wanted};
use crate::process::{Ending, Handle, end_member, end_strays};

pub(super) use house::House;
use release::Release;

/// How an adopted process ended cannot be known: only a parent learns that.
const ADOPTED_END: &str = "unknown: an earlier supervisor had started it";

/// What a keeper is told to do; the answer comes when it is done.
pub(super) struct Order {
    what: What,
    reply: oneshot::Sender<Result<(), String>>,
}

enum What {
    Ensure(Box<Launch>),
    Stop { grace: Option<Duration>, forget: bool },
}

/// A running main process.
struct Running {
    handle: Handle,
    /// `None` when an earlier supervisor started it.
    child: Option<Child>,
    since: Instant,
}

enum Phase {
    Stopped,
    Running(Running),
    Waiting(Instant),
    /// The member is known no longer.
    Forgotten,
}

/// The keeper of one member.
struct Keeper {
    house: Rc<House>,
    member: String,
    orders: mpsc::Receiver<Order>,
    backoff: Backoff,
    /// Whether this member has run before under a supervisor, so that programs which it left may be taken over by it.
    known: bool,
    /// What tells the others that the member is dead.
    release: Option<Release>,
}

impl Keeper {
    async fn keep(mut self, mut phase: Phase) {
        loop {
            phase = match phase {
                Phase::Stopped => match self.orders.recv().await {
                    Some(order) => self.obey(order, None).await,
                    None => return,
                },
                Phase::Waiting(until) => tokio::select! {
                    order = self.orders.recv() => match order {
                        Some(order) => self.obey(order, None).await,
                        None => return,
                    },
                    () = sleep_until(until) => self.start_again().await,
                },
                Phase::Running(running) => tokio::select! {
                    order = self.orders.recv() => match order {
                        Some(order) => self.obey(order, Some(running)).await,
                        None => return,
                    },
                    reason = watch::left_behind(&self.house, &self.member) => self.replace(running, reason).await,
                    ended = running.handle.ended() => self.note_end(running, ended),
                },
                Phase::Forgotten => return,
            };
        }
    }

    async fn obey(&mut self, order: Order, running: Option<Running>) -> Phase {
        let (phase, answer) = match order.what {
            What::Ensure(launch) => self.ensure(*launch, running).await,
            What::Stop { grace, forget } => self.stop(grace, forget, running).await,
        };
        // Whoever asked may have gone away meanwhile.
        let _ = order.reply.send(answer);
        phase
    }

    async fn ensure(&mut self, launch: Launch, running: Option<Running>) -> (Phase, Result<(), String>) {
        let Some(before) = self.record() else {
            return (
                Phase::Forgotten,
                Err(format!("{} is not known any longer", self.member)),
            );
        };
        let unchanged = before.launch.parts == launch.parts;
        let written = self.update(|record| {
            record.launch = launch;
            record.wanted = Wanted::Running;
            record.failing = false;
        });
        if let Err(reason) = written {
            // What is not written down is not done, and what was written down before still holds.
            let _ = self.update(|record| *record = before);
            return (running.map_or(Phase::Stopped, Phase::Running), Err(reason));
        }
        match running {
            Some(running) if unchanged => return (Phase::Running(running), Ok(())),
            running => {
                // Ended as it was started: the new description may name other children or another signal.
                if running.is_some()
                    && let Err(reason) = self.end(&before, None, running).await
                {
                    return (self.wait_longest(), Err(reason));
                }
            }
        }
        self.backoff = Backoff::default();
        match self.start().await {
            Ok(running) => (Phase::Running(running), Ok(())),
            Err(reason) => (self.wait_longest(), Err(reason)),
        }
    }

    async fn stop(
        &mut self,
        grace: Option<Duration>,
        forget: bool,
        running: Option<Running>,
    ) -> (Phase, Result<(), String>) {
        let Some(record) = self.record() else {
            return (Phase::Forgotten, Ok(()));
        };
        // A full disk must not keep a member from being stopped.
        self.note(|record| record.wanted = Wanted::Stopped);
        let ended = self.end(&record, grace, running).await;
        self.note(|record| {
            record.process = None;
            record.failing = false;
        });
        match ended {
            Ok(_) if forget => {
                self.house.forget(&self.member);
                (Phase::Forgotten, Ok(()))
            }
            Ok(main) => {
                self.release = Release::begin(&self.house, &record, main);
                (Phase::Stopped, Ok(()))
            }
            Err(reason) => (Phase::Stopped, Err(reason)),
        }
    }

    /// Ends everything that belongs to the member, and returns the handle of its main process. It hands over first, unless its `grace`
    /// is bounded.
    async fn end(
        &self,
        record: &Record,
        grace: Option<Duration>,
        running: Option<Running>,
    ) -> Result<Option<Handle>, String> {
        if grace.is_none() && running.is_some() {
            hand_over::before_end(&record.launch).await;
        }
        let own_grace = record.launch.stop_grace();
        let ending = Ending {
            signal: record.launch.stop_signal,
            grace: grace.map_or(own_grace, |most| own_grace.min(most)),
        };
        let family = record.family(self.house.layout());
        let ended = end_member(&family, self.house.uid(), ending).await;
        let main = running.map(|running| {
            running.child.map(reap);
            running.handle
        });
        ended.map_err(|survivors| format!("{}: {survivors}", self.member))?;
        Ok(main)
    }

    async fn start(&mut self) -> Result<Running, String> {
        // From here on the member's name may have a session that lives.
        if let Some(release) = self.release.take() {
            self.release = release.before_next_life().await;
        }
        let Some(record) = self.record() else {
            return Err(format!("{} is not known any longer", self.member));
        };
        let family = record.family(self.house.layout());
        end_strays(&family, self.house.uid(), self.known)
            .await
            .map_err(|survivors| survivors.to_string())?;
        let child = start(self.house.layout(), &record.launch)?;
        self.known = true;
        let pid = child.id().cast_signed();
        let handle = match Handle::of_child(pid) {
            Ok(handle) => handle,
            Err(error) => {
                reap_after_kill(child);
                return Err(format!("cannot watch process {pid}: {error}"));
            }
        };
        let identity = handle.identity();
        self.note(|record| {
            record.process = Some(identity);
            record.started_at_ms = Some(unix_ms());
        });
        tracing::info!(member = %self.member, pid, "started");
        Ok(Running {
            handle,
            child: Some(child),
            since: Instant::now(),
        })
    }

    async fn start_again(&mut self) -> Phase {
        self.note(|record| record.restarts = record.restarts.saturating_add(1));
        match self.start().await {
            Ok(running) => Phase::Running(running),
            Err(reason) => {
                tracing::warn!(member = %self.member, reason, "cannot start");
                self.note(|record| record.last_exit = Some(reason));
                self.wait_longest()
            }
        }
    }

    /// Ends a main process that runs and is of no use, and starts it anew.
    async fn replace(&mut self, running: Running, reason: String) -> Phase {
        let Some(record) = self.record() else {
            return Phase::Forgotten;
        };
        tracing::warn!(member = %self.member, reason, "started anew");
        if let Err(reason) = self.end(&record, None, Some(running)).await {
            tracing::warn!(member = %self.member, reason, "cannot end it");
            return self.wait_longest();
        }
        self.note(|record| {
            record.process = None;
            record.last_exit = Some(reason);
            record.last_exit_at_ms = Some(unix_ms());
        });
        self.start_again().await
    }

    /// Waits although nothing but a repair will help: a program that comes back is found without another deploy.
    fn wait_longest(&mut self) -> Phase {
        self.backoff.cannot_start();
        self.note(|record| {
            record.process = None;
            record.failing = true;
        });
        let pause = self
            .record()
            .map_or(Duration::ZERO, |record| longest_pause(&record.launch));
        Phase::Waiting(Instant::now() + pause.max(Duration::from_secs(1)))
    }

    fn note_end(&mut self, running: Running, ended: io::Result<()>) -> Phase {
        if let Err(error) = ended {
            tracing::error!(member = %self.member, %error, "cannot watch it");
        }
        let how = running.child.map_or_else(|| ADOPTED_END.to_owned(), reap);
        let Some(record) = self.record() else {
            return Phase::Forgotten;
        };
        self.release = Release::begin(&self.house, &record, Some(running.handle));
        let first = Duration::from_millis(record.launch.restart_backoff_ms);
        let pause = self
            .backoff
            .ended(running.since.elapsed(), &how, first, longest_pause(&record.launch));
        tracing::warn!(member = %self.member, how, ?pause, "ended");
        let failing = self.backoff.is_hopeless();
        self.note(|record| {
            record.process = None;
            record.last_exit = Some(how);
            record.last_exit_at_ms = Some(unix_ms());
            record.failing = failing;
        });
        Phase::Waiting(Instant::now() + pause)
    }

    fn record(&self) -> Option<Record> {
        self.house.record(&self.member)
    }

    fn update(&self, change: impl FnOnce(&mut Record)) -> Result<(), String> {
        self.house.update(&self.member, change)
    }

    /// Writes down what has happened already, and so counts whether that works or not.
    fn note(&self, change: impl FnOnce(&mut Record)) {
        if let Err(error) = self.update(change) {
            tracing::error!(member = %self.member, error, "cannot write down what happened");
        }
    }
}

fn longest_pause(launch: &Launch) -> Duration {
    Duration::from_millis(launch.restart_backoff_max_ms)
}

/// Takes note of a child's end, and ends what it left in its process group. The group's number is surely its own until
/// its end has been taken note of.
fn reap(mut child: Child) -> String {
    let _ = killpg(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL);
    match child.try_wait() {
        Ok(Some(status)) => describe_exit(status),
        Ok(None) => "unknown: it has not ended".to_owned(),
        Err(error) => format!("unknown: {error}"),
    }
}

fn reap_after_kill(mut child: Child) {
    let _ = child.kill();
    let _ = child.wait();
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
