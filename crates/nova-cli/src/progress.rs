//! Progress on stderr: a line a component that moves on a terminal, one timestamped line a transition elsewhere, with a
//! heartbeat that names what is being waited for.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use nova_platform::components::{ComponentId, names};
use nova_platform::probe::CheckResult;
use nova_platform::rollout::Event;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use crate::output::{GREEN, Output, RED, seconds};

/// Silence on a log after which a heartbeat says what is being waited for.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Changes inside a component that are told one by one.
const FEW: usize = 3;

/// Shows events until their sender is gone.
pub(crate) async fn show(mut events: mpsc::UnboundedReceiver<Event>, output: Output) {
    let mut view: Box<dyn View> = if std::io::stderr().is_terminal() {
        Box::new(Bars::new(output))
    } else {
        Box::new(Lines::default())
    };
    let mut heartbeat = tokio::time::interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(event) => view.event(event),
                None => break,
            },
            _ = heartbeat.tick() => view.heartbeat(),
        }
    }
}

trait View: Send {
    fn event(&mut self, event: Event);
    fn heartbeat(&mut self);
}

/// A failing check in a few words.
fn brief(failing: &[CheckResult]) -> String {
    let first = failing
        .first()
        .map(|check| format!("{}: {}", check.name, check.error.as_deref().unwrap_or("failed")));
    let more = if failing.len() > 1 {
        format!(" (and {} more)", failing.len() - 1)
    } else {
        String::new()
    };
    format!("{}{more}", first.unwrap_or_default())
}

/// The first of many changes; `-o json` has all of them.
fn few(changes: &[String]) -> String {
    let told = changes.iter().take(FEW).cloned().collect::<Vec<_>>().join(", ");
    match changes.len().saturating_sub(FEW) {
        0 => told,
        more => format!("{told}, and {more} more"),
    }
}

/// For a terminal.
struct Bars {
    output: Output,
    all: MultiProgress,
    bars: BTreeMap<ComponentId, ProgressBar>,
}

impl Bars {
    fn new(output: Output) -> Self {
        Self {
            output,
            all: MultiProgress::new(),
            bars: BTreeMap::new(),
        }
    }

    fn bar(&mut self, component: &ComponentId) -> &ProgressBar {
        let all = &self.all;
        self.bars.entry(component.clone()).or_insert_with(|| {
            let style = ProgressStyle::with_template("{spinner} {prefix:14} {elapsed:>4} {wide_msg}");
            let bar = all.add(ProgressBar::new_spinner()).with_prefix(component.to_string());
            bar.enable_steady_tick(Duration::from_millis(120));
            match style {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            }
        })
    }
}

impl View for Bars {
    fn event(&mut self, event: Event) {
        match event {
            Event::Waiting { component, needs } => {
                self.bar(&component).set_message(format!("waits for {}", names(&needs)));
            }
            Event::Starting { component } => {
                let bar = self.bar(&component);
                bar.reset_elapsed();
                bar.set_message("starting");
            }
            Event::Rolling {
                component,
                member,
                number,
                of,
            } => self
                .bar(&component)
                .set_message(format!("changing {member}, {number} of {of}")),
            Event::Checking { component, failing } => self.bar(&component).set_message(brief(&failing)),
            Event::Prepared { .. } => {}
            Event::Degraded { component, failing } => {
                let text = self.output.paint(RED, &format!("degraded: {}", brief(&failing)));
                self.bar(&component).finish_with_message(text);
            }
            Event::Passed { component, took } => {
                let text = self.output.paint(GREEN, &format!("healthy after {}", seconds(took)));
                self.bar(&component).finish_with_message(text);
            }
            Event::Failed { component, reason } => {
                let text = self.output.paint(RED, &reason);
                self.bar(&component).abandon_with_message(text);
            }
        }
    }

    fn heartbeat(&mut self) {}
}

/// For a log.
#[derive(Default)]
struct Lines {
    waiting: BTreeMap<ComponentId, String>,
}

impl Lines {
    fn line(text: &str) {
        let format = time::macros::format_description!("[hour]:[minute]:[second].[subsecond digits:3]");
        let now = time::OffsetDateTime::now_utc().format(format).unwrap_or_default();
        eprintln!("{now} {text}");
    }
}

impl View for Lines {
    fn event(&mut self, event: Event) {
        match event {
            Event::Waiting { component, needs } => {
                self.waiting.insert(component, format!("waits for {}", names(&needs)));
            }
            Event::Starting { component } => {
                Self::line(&format!("{component}: starting"));
                self.waiting.insert(component, "starting".to_owned());
            }
            Event::Rolling {
                component,
                member,
                number,
                of,
            } => Self::line(&format!("{component}: changing {member}, {number} of {of}")),
            Event::Checking { component, failing } => {
                self.waiting.insert(component, brief(&failing));
            }
            Event::Prepared { component, changes } => Self::line(&format!("{component}: made: {}", few(&changes))),
            Event::Degraded { component, failing } => {
                Self::line(&format!(
                    "{component}: degraded, what needs it goes on: {}",
                    brief(&failing)
                ));
                self.waiting.remove(&component);
            }
            Event::Passed { component, took } => {
                Self::line(&format!("{component}: healthy after {}", seconds(took)));
                self.waiting.remove(&component);
            }
            Event::Failed { component, reason } => {
                Self::line(&format!("{component}: failed: {reason}"));
                self.waiting.remove(&component);
            }
        }
    }

    fn heartbeat(&mut self) {
        for (component, what) in &self.waiting {
            Self::line(&format!("still waiting: {component}: {what}"));
        }
    }
}
