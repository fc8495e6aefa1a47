//! Settings of calls between services: each alone, together, and as they are after an override for one dependency.

use std::fmt::Display;
use std::time::Duration as StdDuration;

use crate::key::Key;
use crate::spec::{CallsOverride, CallsSpec, Spec};
use crate::suggestion::closest;
use crate::units::Duration;
use crate::uses::called;

use super::Findings;

/// Services close a connection that was idle for this long; the gateway before them waits longer.
const KEEP_ALIVE: Duration = Duration(StdDuration::from_secs(15));
const SHORTEST: Duration = Duration(StdDuration::from_millis(1));
const LONGEST: Duration = Duration(StdDuration::from_secs(600));

pub(super) fn check(spec: &Spec, findings: &mut Findings) {
    Calls::platform(&spec.calls, findings).check();
    for (name, service) in &spec.services {
        for (dependency, own) in &service.calls {
            let key = Key::service(name).child("calls").child(dependency);
            if dependency == name {
                let message = format!("{key}: a service does not call itself");
                findings.problem([key], message);
            } else if !spec.services.contains_key(dependency) {
                no_such_service(spec, name, dependency, key, findings);
            } else if !called(service).any(|other| other == dependency) {
                findings.problem_with_help(
                    [key.clone(), Key::service(name).child("uses")],
                    format!("{key} is for calls to {dependency}, which {name} does not use"),
                    format!("add {dependency:?} to services.{name}.uses, or take the table away"),
                );
            } else {
                let merged = own.over(&spec.calls);
                Calls::of(&merged, Some((own, key)), findings).check();
            }
        }
    }
}

fn no_such_service(spec: &Spec, name: &str, dependency: &str, key: Key, findings: &mut Findings) {
    let others: Vec<&str> = spec
        .services
        .keys()
        .map(String::as_str)
        .filter(|other| *other != name)
        .collect();
    let help = match closest(dependency, others.iter().copied()) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("the other services are {}", others.join(", ")),
    };
    let message = format!("{key} is for calls to a service, and there is no service {dependency:?}");
    findings.problem_with_help([key], message, help);
}

/// Settings as they count for one dependency, or the platform's.
struct Calls<'a> {
    spec: &'a CallsSpec,
    own: Option<(&'a CallsOverride, Key)>,
    findings: &'a mut Findings,
}

impl<'a> Calls<'a> {
    fn platform(spec: &'a CallsSpec, findings: &'a mut Findings) -> Self {
        Self::of(spec, None, findings)
    }

    fn of(spec: &'a CallsSpec, own: Option<(&'a CallsOverride, Key)>, findings: &'a mut Findings) -> Self {
        Self { spec, own, findings }
    }

    fn check(&mut self) {
        let before = self.findings.problems.len();
        self.alone();
        // What cannot be right alone proves nothing about the others.
        if self.findings.problems.len() == before {
            self.together();
        }
        self.weakened();
    }

    fn alone(&mut self) {
        let CallsSpec {
            timeout,
            connect_timeout,
            idle_timeout,
            pool_size,
            pool_wait,
            retry_max,
            retry_delay,
            retry_delay_max,
            retry_budget,
            retry_floor,
            breaker_window,
            breaker_minimum_calls,
            breaker_failure_ratio,
            breaker_slow_call,
            breaker_slow_ratio,
            breaker_open,
            breaker_probes,
            breaker_probe_timeout,
        } = self.spec;
        for (name, duration) in [
            ("timeout", timeout),
            ("connect_timeout", connect_timeout),
            ("idle_timeout", idle_timeout),
            ("pool_wait", pool_wait),
            ("retry_delay", retry_delay),
            ("retry_delay_max", retry_delay_max),
            ("breaker_window", breaker_window),
            ("breaker_slow_call", breaker_slow_call),
            ("breaker_open", breaker_open),
            ("breaker_probe_timeout", breaker_probe_timeout),
        ] {
            self.between(name, *duration, SHORTEST, LONGEST);
        }
        self.between("pool_size", *pool_size, 1, 10_000);
        self.between("retry_max", *retry_max, 0, 10);
        self.between("retry_floor", *retry_floor, 0, 1_000);
        self.between("breaker_minimum_calls", *breaker_minimum_calls, 1, 1_000_000);
        self.between("breaker_probes", *breaker_probes, 1, 10_000);
        self.ratio("retry_budget", *retry_budget);
        self.ratio("breaker_failure_ratio", *breaker_failure_ratio);
        self.ratio("breaker_slow_ratio", *breaker_slow_ratio);
    }

    fn together(&mut self) {
        let spec = self.spec;
        let (timeout, pool) = (spec.timeout, spec.pool_size);
        self.conflict(spec.connect_timeout >= timeout, ["connect_timeout", "timeout"], || {
            format!(
                "a connection that takes {} leaves nothing of a call's {timeout} for the answer",
                spec.connect_timeout
            )
        });
        self.conflict(spec.pool_wait >= timeout, ["pool_wait", "timeout"], || {
            format!(
                "a call that waited {} for a place has nothing left of its {timeout}",
                spec.pool_wait
            )
        });
        self.conflict(
            spec.retry_delay > spec.retry_delay_max,
            ["retry_delay", "retry_delay_max"],
            || {
                format!(
                    "the first pause, {}, is longer than the longest, {}",
                    spec.retry_delay, spec.retry_delay_max
                )
            },
        );
        self.conflict(spec.retry_delay >= timeout, ["retry_delay", "timeout"], || {
            format!(
                "a call is over after {timeout}, before its first retry could begin after {}",
                spec.retry_delay
            )
        });
        self.conflict(
            spec.breaker_slow_call > timeout,
            ["breaker_slow_call", "timeout"],
            || {
                format!(
                    "no call lasts longer than {timeout}, so none would ever count as slow at {}",
                    spec.breaker_slow_call
                )
            },
        );
        self.conflict(spec.breaker_probes > pool, ["breaker_probes", "pool_size"], || {
            format!("{} probes do not fit into {pool} calls in flight", spec.breaker_probes)
        });
        self.conflict(spec.idle_timeout >= KEEP_ALIVE, ["idle_timeout"], || {
            format!(
                "services close a connection that is idle for {KEEP_ALIVE}, so with {} a call may meet one that is just being closed",
                spec.idle_timeout
            )
        });
    }

    /// Settings that an expert may weaken, each with the failure that it invites.
    fn weakened(&mut self) {
        let spec = self.spec;
        self.weak(spec.retry_budget > 0.5, "retry_budget", || {
            format!(
                "a dependency that fails gets up to {:.0} % more calls by retries, which may keep it down",
                spec.retry_budget * 100.0
            )
        });
        self.weak(spec.breaker_failure_ratio >= 1.0, "breaker_failure_ratio", || {
            "1: the breaker opens only when every call fails, so one that answers now and then goes on costing time"
                .to_owned()
        });
        self.weak(spec.breaker_slow_ratio >= 1.0, "breaker_slow_ratio", || {
            "1: the breaker opens only when every call is slow, so a slow dependency goes on holding its callers"
                .to_owned()
        });
    }

    /// Where this setting stands, and whether that is here: what an override leaves to the platform is judged there.
    fn place(&self, name: &str) -> (Key, bool) {
        match &self.own {
            Some((own, key)) if own.has(name) => (key.child(name), true),
            own => (Key::new("calls").child(name), own.is_none()),
        }
    }

    fn between<T: PartialOrd + Display>(&mut self, name: &str, value: T, least: T, most: T) {
        let (key, here) = self.place(name);
        if here && !(value >= least && value <= most) {
            let message = format!("{key} is {value}: it must be from {least} to {most}");
            self.findings.problem([key], message);
        }
    }

    fn ratio(&mut self, name: &str, value: f64) {
        let (key, here) = self.place(name);
        // Written so that NaN is refused.
        if here && !(value > 0.0 && value <= 1.0) {
            let message = format!("{key} is {value}: it is a share, and must be above 0 and at most 1");
            self.findings.problem([key], message);
        }
    }

    fn conflict<const N: usize>(&mut self, is: bool, names: [&str; N], why: impl Fn() -> String) {
        let places = names.map(|name| self.place(name));
        if is && places.iter().any(|(_, here)| *here) {
            let message = format!("{}: {}", places[0].0, why());
            self.findings.problem(places.map(|(key, _)| key), message);
        }
    }

    fn weak(&mut self, is: bool, name: &str, why: impl Fn() -> String) {
        let (key, here) = self.place(name);
        if is && here {
            self.findings.warning(key, why());
        }
    }
}

#[cfg(test)]
mod tests;
