//! Readies a component that runs for members that start with other settings: nothing of it is restarted before that is proved.

use std::time::Duration;

use super::{Ascent, Event, FIRST_PAUSE, LONGEST_PAUSE, Prober, ROUND, Reason, Stopped};
use crate::probe::{CheckKind, CheckResult};
use crate::target::{Action, Target};

impl<T: Target, P: Prober> Ascent<'_, T, P> {
    /// Does nothing for a component of which nothing changes. Returns what was done.
    pub(super) async fn stage(&self) -> Result<Vec<String>, Stopped> {
        if !self.has(Action::Change) {
            return Ok(Vec::new());
        }
        let mut pause = FIRST_PAUSE;
        let mut failing = Vec::new();
        loop {
            let staged = self.prober.stage(&self.component.id, ROUND.min(self.remaining()));
            let staged = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Err(self.stopped(None, Reason::Interrupted, failing)),
                staged = staged => staged,
            };
            let error = match staged {
                Ok(changes) => {
                    if !changes.is_empty() {
                        self.tell(Event::Prepared {
                            component: self.name(),
                            changes: changes.clone(),
                        });
                    }
                    return Ok(changes);
                }
                Err(error) => error,
            };
            failing = vec![CheckResult::of(CheckKind::Stage, Duration::ZERO, Err(error))];
            self.tell(Event::Checking {
                component: self.name(),
                failing: failing.clone(),
            });
            if self.remaining().is_zero() {
                return Err(self.stopped(None, Reason::TimedOut(self.limit), failing));
            }
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Err(self.stopped(None, Reason::Interrupted, failing)),
                () = tokio::time::sleep(pause.min(self.remaining())) => {}
            }
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        }
    }
}
