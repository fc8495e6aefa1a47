//! All members of the platform and their keepers. Everything here happens on one thread.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use nova_platform::explained::explained;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep};

use super::{Keeper, Order, Phase, Running, What, unix_ms};
use crate::layout::{FileError, Layout};
use crate::supervisor::backoff::Backoff;
use crate::supervisor::protocol::{Launch, Report};
use crate::supervisor::registry::{Record, Registry, Wanted};
use crate::supervisor::rotation::Log;

/// Orders that a member may have waiting.
const ORDERS: usize = 8;
/// One that panics again and again must not keep the supervisor from everything else.
const AFTER_A_PANIC: Duration = Duration::from_secs(1);

/// What the supervisor keeps.
pub(in crate::supervisor) struct House {
    registry: RefCell<Registry>,
    keepers: RefCell<BTreeMap<String, mpsc::Sender<Order>>>,
    layout: Layout,
    uid: u32,
}

impl House {
    pub(in crate::supervisor) fn new(registry: Registry) -> Self {
        Self {
            layout: registry.layout().clone(),
            registry: RefCell::new(registry),
            keepers: RefCell::default(),
            uid: nix::unistd::geteuid().as_raw(),
        }
    }

    pub(in crate::supervisor) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Writes down again what it keeps.
    pub(in crate::supervisor) fn note_again(&self) -> Result<(), FileError> {
        self.registry.borrow().write()
    }

    pub(super) fn uid(&self) -> u32 {
        self.uid
    }

    /// Takes over every member that still runs, and starts again those that ended meanwhile. When none runs, the machine
    /// or the whole platform was ended, and members wait for a deploy that starts them in their order.
    pub(in crate::supervisor) fn take_over(self: &Rc<Self>) {
        let records: Vec<Record> = self.registry.borrow().members().values().cloned().collect();
        let some_run = records.iter().any(|record| record.process.is_some());
        for record in records {
            self.take_over_one(&record, some_run);
        }
    }

    /// `starts`: it is started again should it have ended.
    fn take_over_one(self: &Rc<Self>, record: &Record, starts: bool) {
        let member = record.launch.member.clone();
        let adopted = record.process.and_then(|process| process.handle().ok().flatten());
        let phase = match adopted {
            Some(handle) => {
                tracing::info!(member, pid = handle.identity().pid, "taken over");
                Phase::Running(Running {
                    handle,
                    child: None,
                    since: running_since(record),
                })
            }
            None if starts && record.wanted == Wanted::Running => Phase::Waiting(Instant::now()),
            None => {
                let _ = self.update(&member, |record| record.wanted = Wanted::Stopped);
                Phase::Stopped
            }
        };
        let half_stopped = record.wanted == Wanted::Stopped && record.process.is_some();
        self.spawn_keeper(&member, phase, true);
        if half_stopped {
            let stop = What::Stop {
                grace: None,
                forget: false,
            };
            let _ = self.try_order(&member, stop);
        }
    }

    /// Keeps a member running as described; returns when it is started.
    pub(in crate::supervisor) async fn ensure(self: &Rc<Self>, launch: Launch) -> Result<(), String> {
        let member = launch.member.clone();
        check_name(&member)?;
        if self.record(&member).is_none() {
            let added = self.registry.borrow_mut().add(Record::new(launch.clone()));
            added.map_err(|error| explained(&error))?;
            self.spawn_keeper(&member, Phase::Stopped, false);
        }
        self.order(&member, What::Ensure(Box::new(launch))).await
    }

    /// Ends a member; returns when nothing of it runs. One that is not known is not running.
    pub(in crate::supervisor) async fn stop(
        &self,
        member: &str,
        grace: Option<Duration>,
        forget: bool,
    ) -> Result<(), String> {
        if self.record(member).is_none() {
            return Ok(());
        }
        self.order(member, What::Stop { grace, forget }).await
    }

    pub(in crate::supervisor) fn report(&self) -> Report {
        Report {
            pid: std::process::id(),
            program: std::env::current_exe().unwrap_or_default(),
            members: self.registry.borrow().members().values().map(Record::report).collect(),
        }
    }

    /// Every member's log.
    pub(in crate::supervisor) fn logs(&self) -> Vec<Log> {
        let registry = self.registry.borrow();
        let one = |(member, record): (&String, &Record)| {
            (
                self.layout.log(member),
                self.layout.previous_log(member),
                record.launch.log_max_bytes,
            )
        };
        registry.members().iter().map(one).collect()
    }

    /// Whether this is the main process of a member, running or just ended.
    pub(in crate::supervisor) fn is_main_process(&self, pid: i32) -> bool {
        let registry = self.registry.borrow();
        let mut mains = registry.members().values().filter_map(|record| record.process);
        mains.any(|process| process.pid == pid)
    }

    pub(super) fn record(&self, member: &str) -> Option<Record> {
        self.registry.borrow().get(member).cloned()
    }

    pub(super) fn update(&self, member: &str, change: impl FnOnce(&mut Record)) -> Result<(), String> {
        let written = self.registry.borrow_mut().update(member, change);
        written.map_err(|error| explained(&error))
    }

    pub(super) fn forget(&self, member: &str) {
        self.keepers.borrow_mut().remove(member);
        if let Err(error) = self.registry.borrow_mut().remove(member) {
            tracing::error!(member, %error, "cannot write down that it is forgotten");
        }
    }

    fn spawn_keeper(self: &Rc<Self>, member: &str, phase: Phase, known: bool) {
        let (sender, orders) = mpsc::channel(ORDERS);
        self.keepers.borrow_mut().insert(member.to_owned(), sender);
        let keeper = Keeper {
            house: self.clone(),
            member: member.to_owned(),
            orders,
            backoff: Backoff::default(),
            known,
            release: None,
        };
        let kept = tokio::task::spawn_local(keeper.keep(phase));
        let (house, member) = (self.clone(), member.to_owned());
        tokio::task::spawn_local(async move {
            if kept.await.is_err_and(|error| error.is_panic()) {
                house.replace_keeper(&member).await;
            }
        });
    }

    /// A keeper panicked, which is a bug of ours: its member must not go without one for that.
    async fn replace_keeper(self: &Rc<Self>, member: &str) {
        tracing::error!(member, "its keeper panicked, and another one takes over");
        sleep(AFTER_A_PANIC).await;
        if let Some(record) = self.record(member) {
            self.take_over_one(&record, true);
        }
    }

    async fn order(&self, member: &str, what: What) -> Result<(), String> {
        let answer = self.try_order(member, what)?;
        answer
            .await
            .unwrap_or_else(|_| Err(format!("{member} was forgotten meanwhile")))
    }

    fn try_order(&self, member: &str, what: What) -> Result<oneshot::Receiver<Result<(), String>>, String> {
        let keepers = self.keepers.borrow();
        let keeper = keepers.get(member).ok_or_else(|| format!("{member} is not known"))?;
        let (reply, answer) = oneshot::channel();
        keeper
            .try_send(Order { what, reply })
            .map_err(|_| format!("{member} has {ORDERS} orders waiting already"))?;
        Ok(answer)
    }
}

/// Names become file names.
fn check_name(member: &str) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if member.is_empty() || member.len() > 100 || !member.bytes().all(plain) {
        return Err(format!(
            "{member:?} is no name of a member: lower-case letters, digits and dashes make one"
        ));
    }
    Ok(())
}

/// When an adopted process started, on the clock that only goes forward.
fn running_since(record: &Record) -> Instant {
    let ran = record
        .started_at_ms
        .map_or(0, |started| unix_ms().saturating_sub(started));
    let now = Instant::now();
    now.checked_sub(Duration::from_millis(ran)).unwrap_or(now)
}
